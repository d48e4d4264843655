//! Which words there are, as far as patterns can tell them apart: one for each set of patterns that some word fits.
//!
//! The patterns are run side by side over the shortest words first; two words that leave all of them in the same place
//! have the same continuations, so only the first is gone on with.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;

/// How many places are looked at before the search is given up. A few patterns need some hundreds.
const MOST_PLACES: usize = 40_000;
/// The tokens that a set of places has bits for.
const MOST_TOKENS: usize = 127;
/// The digits of an account, and one more.
const TOO_MANY_DIGITS: u8 = 21;
/// For a part of a name that is no number.
const NO_DIGITS: u8 = u8::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    Star,
    Digit,
    Digits,
}

/// A pattern as a machine; a set of places is a set of bits.
#[derive(Debug)]
pub(super) struct Machine(Vec<Token>);

impl Machine {
    /// The machine of `pattern`, in which `variable` stands for digits; `None` if it is too long for any name.
    pub(super) fn new(pattern: &str, variable: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        for (n, part) in pattern.split(variable).enumerate() {
            if n > 0 {
                tokens.extend([Token::Digit, Token::Digits]);
            }
            tokens.extend(part.bytes().map(|byte| if byte == b'*' { Token::Star } else { Token::Byte(byte) }));
        }
        tokens.dedup_by(|a, b| *a == Token::Star && *b == Token::Star);
        (tokens.len() <= MOST_TOKENS).then_some(Self(tokens))
    }

    fn start(&self) -> u128 {
        self.closed(1)
    }

    fn step(&self, places: u128, byte: u8) -> u128 {
        let mut next = 0;
        for (n, token) in self.0.iter().enumerate().filter(|(n, _)| places >> n & 1 == 1) {
            next |= match token {
                Token::Byte(wanted) if *wanted == byte => 1 << (n + 1),
                Token::Digit if byte.is_ascii_digit() => 1 << (n + 1),
                Token::Star => 1 << n,
                Token::Digits if byte.is_ascii_digit() => 1 << n,
                Token::Byte(_) | Token::Digit | Token::Digits => 0,
            };
        }
        self.closed(next)
    }

    fn closed(&self, mut places: u128) -> u128 {
        for (n, token) in self.0.iter().enumerate() {
            let may_be_none = matches!(token, Token::Star | Token::Digits);
            places |= if may_be_none { (places >> n & 1) << (n + 1) } else { 0 };
        }
        places
    }

    fn accepts(&self, places: u128) -> bool {
        places >> self.0.len() & 1 == 1
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().filter_map(|token| match token {
            Token::Byte(byte) => Some(*byte),
            Token::Star | Token::Digit | Token::Digits => None,
        })
    }
}

/// What the words are, and what tells them apart.
pub(super) struct Language<'a> {
    /// Run over the whole word, behind `before`; they may ask for a `/` after it.
    pub(super) whole: Vec<Machine>,
    pub(super) before: &'a str,
    /// Run over what follows the last `-`.
    pub(super) number: Vec<Machine>,
    /// Words that stand for themselves.
    pub(super) literals: BTreeSet<&'a str>,
    pub(super) longest: usize,
    pub(super) is_word: fn(&str) -> bool,
}

/// Where all the machines are.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    whole: Vec<u128>,
    number: Vec<u128>,
    /// How many digits there are since the last `-`, or [`NO_DIGITS`].
    digits: u8,
    after_dash: bool,
    /// Whether that `-` follows another.
    double: bool,
    /// The word so far, while it can become a literal.
    literal: Option<String>,
}

/// Which patterns a word fits, and which literal it is.
type Fits = (Vec<bool>, Option<String>);

impl Language<'_> {
    /// A word for each set of patterns that some word fits; `false` if there may be more.
    pub(super) fn samples(&self) -> (Vec<String>, bool) {
        let alphabet = self.alphabet();
        let mut found: HashMap<Fits, String> = HashMap::new();
        let mut seen = HashSet::from([self.start()]);
        let mut open = VecDeque::from([(String::new(), self.start())]);
        while let Some((word, place)) = open.pop_front() {
            if seen.len() > MOST_PLACES {
                let plain = self.whole.iter().flat_map(|machine| self.plain(machine));
                return (self.with_literals(found.into_values().chain(plain)), false);
            }
            if (self.is_word)(&word) {
                found.entry(self.fits(&word, &place)).or_insert_with(|| word.clone());
            }
            // No word begins with a dash, though what follows one may look the same to every machine.
            let fits = |byte: &&u8| word.len() < self.longest && !(word.is_empty() && **byte == b'-');
            for byte in alphabet.iter().filter(fits) {
                let longer = format!("{word}{}", char::from(*byte));
                let next = self.step(&place, *byte, &longer);
                if seen.insert(next.clone()) {
                    open.push_back((longer, next));
                }
            }
        }
        (self.with_literals(found.into_values()), true)
    }

    fn with_literals(&self, found: impl Iterator<Item = String>) -> Vec<String> {
        let words: BTreeSet<String> = found.chain(self.literals.iter().map(|&word| word.into())).collect();
        words.into_iter().collect()
    }

    /// Words that fit a pattern if every `*` stands for nothing, or the last for a number.
    fn plain(&self, machine: &Machine) -> impl Iterator<Item = String> {
        let text: String = machine.bytes().map(char::from).collect();
        let name = text.strip_prefix(self.before).unwrap_or(&text).trim_end_matches('/');
        [name.to_owned(), format!("{name}-0")].into_iter().filter(|word| (self.is_word)(word))
    }

    /// The bytes that patterns name, and of letters and digits one that none names: the others are like it.
    fn alphabet(&self) -> Vec<u8> {
        let of_machines = self.whole.iter().chain(&self.number).flat_map(Machine::bytes);
        let named: BTreeSet<u8> = of_machines.chain(self.literals.iter().flat_map(|word| word.bytes())).collect();
        let another = |range: std::ops::RangeInclusive<u8>| range.into_iter().find(|byte| !named.contains(byte));
        let used = named.iter().copied().filter(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        another(b'a'..=b'z').into_iter().chain(used).chain(another(b'0'..=b'9')).chain([b'-']).collect()
    }

    fn start(&self) -> Place {
        let ran = |machine: &Machine| self.before.bytes().fold(machine.start(), |at, byte| machine.step(at, byte));
        Place {
            whole: self.whole.iter().map(ran).collect(),
            number: vec![0; self.number.len()],
            digits: NO_DIGITS,
            after_dash: true,
            double: true,
            literal: Some(String::new()),
        }
    }

    fn step(&self, from: &Place, byte: u8, word: &str) -> Place {
        let whole = self.whole.iter().zip(&from.whole).map(|(machine, at)| machine.step(*at, byte)).collect();
        let dash = byte == b'-';
        let number = self.number.iter().zip(&from.number);
        let number = number.map(|(machine, at)| if dash { machine.start() } else { machine.step(*at, byte) }).collect();
        let digits = match (dash, from.digits) {
            (true, _) => 0,
            (false, so_far) if byte.is_ascii_digit() && so_far < TOO_MANY_DIGITS => so_far + 1,
            (false, TOO_MANY_DIGITS) if byte.is_ascii_digit() => TOO_MANY_DIGITS,
            (false, _) => NO_DIGITS,
        };
        let double = if dash { from.after_dash } else { from.double && digits != NO_DIGITS };
        let begun = || {
            self.literals
                .range::<str, _>((Bound::Included(word), Bound::Unbounded))
                .next()
                .is_some_and(|literal| literal.starts_with(word))
        };
        let literal = (from.literal.is_some() && begun()).then(|| word.to_owned());
        Place { whole, number, digits, after_dash: dash, double, literal }
    }

    fn fits(&self, word: &str, place: &Place) -> Fits {
        let slash = |machine: &Machine, at: u128| machine.accepts(at) || machine.accepts(machine.step(at, b'/'));
        let whole = self.whole.iter().zip(&place.whole).map(|(machine, at)| slash(machine, *at));
        let number = self.number.iter().zip(&place.number).map(|(machine, at)| machine.accepts(*at));
        let literal = self.literals.contains(word).then(|| word.to_owned());
        (whole.chain(number).collect(), literal)
    }
}

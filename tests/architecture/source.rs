//! Source files as the rules see them: code alone, without comments, texts and tests, every line in its place.

use std::fs;
use std::path::Path;

const TEST: &str = "#[cfg(test)]";

/// A file of `src`, or one that a test makes up.
pub(crate) struct Source {
    path: String,
    /// The file with blanks in place of all that is not code, or is a test.
    code: String,
    lines: usize,
    /// The modules in files of their own that are tests.
    tests: Vec<String>,
}

/// Every file of `src` that is not a test.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    let read = |file: &std::path::PathBuf| {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap();
        Source::new(path, &fs::read_to_string(file).unwrap())
    };
    let sources: Vec<Source> = files.iter().map(read).collect();
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    let is_test = |source: &Source| {
        let module = source.path.trim_end_matches(".rs");
        tests.iter().any(|test| module == test || module.starts_with(&format!("{test}/")))
    };
    let sources: Vec<Source> = sources.into_iter().filter(|source| !is_test(source)).collect();
    assert!(sources.len() > 80 && !tests.is_empty(), "only {} files, {tests:?}", sources.len());
    sources
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut code = without_words(text);
        let (tests, lines_of_tests) = blank_tests(&mut code);
        let lines = text.lines().count() - lines_of_tests;
        Self { path: path.to_owned(), code: code.into_iter().collect(), lines, tests }
    }

    /// As in `src/api/line.rs`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// How many lines there are besides tests.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// `api` for `src/api.rs` and all of `src/api/`; none for the roots of the library and of the program.
    pub(crate) fn room(&self) -> Option<&str> {
        let path = self.path.strip_prefix("src/")?;
        let room = path.split('/').next()?.trim_end_matches(".rs");
        (room != "lib" && room != "main").then_some(room)
    }

    /// The first word of each path that begins at the root of the library, with its line.
    pub(crate) fn rooms_named(&self) -> Vec<(usize, String)> {
        let depth = self.path.matches('/').count();
        let from_here = vec!["super"; depth].join("::");
        let mut named = self.names_in("crate");
        named.extend(self.names_in(&from_here));
        named
    }

    /// The first words behind `root::`, also in braces, each with its line.
    pub(crate) fn names_in(&self, root: &str) -> Vec<(usize, String)> {
        let start = format!("{root}::");
        let mut names = Vec::new();
        for (at, _) in self.code.match_indices(&start) {
            let whole = !self.code[..at].ends_with(|c: char| is_of_word(c) || c == ':');
            if whole {
                self.names_at(at + start.len(), &mut names);
            }
        }
        names
    }

    fn names_at(&self, at: usize, names: &mut Vec<(usize, String)>) {
        let rest = &self.code[at..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut expected) = (0, true);
            for (offset, c) in group.char_indices() {
                match c {
                    '}' if depth == 0 => return,
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => expected = true,
                    _ if expected && !c.is_whitespace() => {
                        expected = false;
                        names.push(self.name_at(at + 1 + offset));
                    }
                    _ => {}
                }
            }
        } else {
            names.push(self.name_at(at));
        }
    }

    /// A word, or the one character that stands there instead.
    fn name_at(&self, at: usize) -> (usize, String) {
        let rest = &self.code[at..];
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        (self.line_of(at), rest[..end.max(1)].to_owned())
    }

    /// The lines in which `text` stands.
    pub(crate) fn lines_with(&self, text: &str) -> impl Iterator<Item = usize> {
        self.code.match_indices(text).map(|(at, _)| self.line_of(at))
    }

    /// The lines in which `word` stands by itself.
    pub(crate) fn lines_with_word(&self, word: &str) -> impl Iterator<Item = usize> {
        let by_itself = move |at: &usize| {
            let (before, after) = (&self.code[..*at], &self.code[at + word.len()..]);
            !before.ends_with(is_of_word) && !after.starts_with(is_of_word)
        };
        let places = self.code.match_indices(word).map(|(at, _)| at).filter(by_itself).collect::<Vec<_>>();
        places.into_iter().map(|at| self.line_of(at))
    }

    /// The modules that it declares, tests apart.
    pub(crate) fn modules(&self) -> Vec<(usize, String)> {
        let declared = self.code.match_indices("mod ").filter(|(at, _)| !self.code[..*at].ends_with(is_of_word));
        declared.map(|(at, word)| self.name_at(at + word.len())).collect()
    }

    fn line_of(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// As in `src/auth/samples`.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.as_str() {
            "src/lib.rs" | "src/main.rs" => "src",
            other => other.trim_end_matches(".rs"),
        };
        self.tests.iter().map(|test| format!("{folder}/{test}")).collect()
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with blanks in place of comments, of what stands between quotes, and of characters beyond ASCII.
fn without_words(text: &str) -> Vec<char> {
    let mut code: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < code.len() {
        let end = end_of_words(&code, at);
        for c in &mut code[at..end] {
            if *c != '\n' {
                *c = ' ';
            }
        }
        at = end.max(at + 1);
    }
    code.iter().map(|c| if c.is_ascii() { *c } else { ' ' }).collect()
}

/// Where the comment or the literal that begins at `at` ends; `at` itself if none does.
fn end_of_words(code: &[char], at: usize) -> usize {
    let rest = &code[at..];
    let begins_word = at == 0 || !is_of_word(code[at - 1]);
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => end_of_block(code, at),
        ['"', ..] => end_of_text(code, at),
        ['r', '"' | '#', ..] if begins_word => end_of_raw(code, at),
        ['b' | 'c', 'r', '"' | '#', ..] if begins_word => end_of_raw(code, at + 1),
        ['\'', '\\', _, more @ ..] => {
            at + 3 + more.iter().position(|c| *c == '\'').map_or(more.len(), |quote| quote + 1)
        }
        // Not a lifetime.
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

fn end_of_block(code: &[char], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < code.len() {
        match &code[end..] {
            ['/', '*', ..] => (depth, end) = (depth + 1, end + 2),
            ['*', '/', ..] => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

fn end_of_text(code: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < code.len() {
        match code[end] {
            '"' => return end + 1,
            '\\' => end += 2,
            _ => end += 1,
        }
    }
    code.len()
}

/// `at` is where the `r` stands; `r#async` is a word and no text.
fn end_of_raw(code: &[char], at: usize) -> usize {
    let hashes = code[at + 1..].iter().take_while(|c| **c == '#').count();
    let begin = at + 1 + hashes;
    if code.get(begin) != Some(&'"') {
        return at;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let found = code[begin + 1..].windows(closing.len()).position(|window| window == closing);
    found.map_or(code.len(), |found| begin + 1 + found + closing.len())
}

/// Blanks every item that is only there for tests; tells the modules among them that have their own file, and the
/// number of lines.
fn blank_tests(code: &mut [char]) -> (Vec<String>, usize) {
    let (mut modules, mut lines) = (Vec::new(), 0);
    let attribute: Vec<char> = TEST.chars().collect();
    while let Some(at) = code.windows(attribute.len()).position(|window| window == attribute) {
        let end = end_of_item(code, at + attribute.len());
        let item: String = code[at + attribute.len()..end].iter().collect();
        let module = item.trim().trim_start_matches("pub(crate) ").strip_prefix("mod ");
        modules.extend(module.and_then(|module| module.strip_suffix(';')).map(str::to_owned));
        lines += item.matches('\n').count() + 1;
        for c in &mut code[at..end] {
            if *c != '\n' {
                *c = ' ';
            }
        }
    }
    (modules, lines)
}

/// Behind the `;` or the `}` with which the item that begins at `at` ends.
fn end_of_item(code: &[char], at: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in code[at..].iter().enumerate() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth -= 1,
            '}' if depth == 1 => return at + offset + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + offset + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn only_code_is_left_of_a_file_and_every_line_stays_in_its_place() {
    let text = "a /* b /* c */ d */ e // f\n\"g\\\"h\" i 'j' '\\n' '\\u{1}' &'k l\nr#\"m\"n\"# o br\"p\" r#q\n\"two\nlines\" s";
    let code: String = without_words(text).into_iter().collect();
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "e", "i", "&'k", "l", "o", "r#q", "s"]);
    assert_eq!(code.lines().count(), text.lines().count());
    assert_eq!(code.lines().nth(4).unwrap().trim(), "s");
}

#[test]
fn tests_are_left_out_with_all_that_is_in_them() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b(x: [u8; 3]) { if c { d } }\n}\n#[cfg(test)]\n\
                mod samples;\n#[cfg(test)]\nfn e(x: [u8; 3]) -> u8 { f }\nfn g() {}\n";
    let source = Source::new("src/auth.rs", text);
    assert_eq!(source.code.split_whitespace().collect::<Vec<_>>(), ["fn", "a()", "{}", "fn", "g()", "{}"]);
    assert_eq!((source.test_modules(), source.lines()), (vec!["src/auth/samples".to_owned()], 2));
    assert_eq!(source.lines_with("fn g").collect::<Vec<_>>(), [10]);
}

//! Which characters may stand in a line that a person reads.

/// Whether `c` is shown as itself: no control character, and none that is invisible, ends a line or turns the order of
/// what is shown around it (Unicode Standard Annex 9, "Trojan Source"), so that one name could pass for another.
#[must_use]
pub fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends_or_hides = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    !c.is_control() && !turns && !ends_or_hides
}

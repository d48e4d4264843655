//! Which characters may stand in a line that a person reads.

/// Whether `c` is shown as itself: no control character, and none that is invisible, ends a line or turns the order of
/// what is shown around it (Unicode Standard Annex 9, "Trojan Source"), so that one name could pass for another.
#[must_use]
pub fn is_printable(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !turns && !ends && !is_invisible(c)
}

/// Soft hyphen, zero-width space and joiners, invisible operators, byte order mark, and the tags of plane 14.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

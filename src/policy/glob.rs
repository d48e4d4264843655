//! `*` in patterns.

/// Whether `text` as a whole fits `pattern`, in which `*` stands for any run of bytes, also none and also `/`.
///
/// Takes at most pattern times text steps and no memory: on a mismatch only the last `*` is made longer, for
/// what an earlier one could still give, the last one can give as well.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // After the last `*`: where the pattern goes on, and up to where the `*` has swallowed the text.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match (pattern.get(p), star) {
            (Some(b'*'), _) => {
                p += 1;
                star = Some((p, t));
            }
            (Some(literal), _) if literal == byte => {
                p += 1;
                t += 1;
            }
            (_, Some((after, swallowed))) => {
                p = after;
                t = swallowed + 1;
                star = Some((after, t));
            }
            (_, None) => return false,
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, with all the time in the world.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((byte, rest)) => text.first() == Some(byte) && naive(rest, &text[1..]),
        }
    }

    #[test]
    fn a_star_stands_for_anything_also_for_nothing_and_for_a_slash() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("ci:*", "ci:CreateAsrBucket", true),
            ("ci:Describe*", "ci:CreateAsrBucket", false),
            ("*Bucket", "ci:CreateAsrBucket", true),
            ("*Bucket", "ci:DescribeAsrBuckets", false),
            ("bucket/*", "bucket/a/b", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_made_to_backtrack_ends_at_once() {
        let pattern = "a*".repeat(5_000) + "b";
        assert!(!fits(&pattern, &"a".repeat(10_000)));
    }

    proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_definition(pattern in "[ab*]{0,9}", text in "[ab]{0,9}") {
            prop_assert_eq!(fits(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }
    }
}

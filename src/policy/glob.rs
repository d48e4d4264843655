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

/// Whether some text fits both patterns.
///
/// With a `*` in each, all that stands between the first and the last of one has its place in the `*` of the other, so
/// only the ends have to agree.
pub(super) fn meet(a: &str, b: &str) -> bool {
    let (Some((a_begins, _)), Some((b_begins, _))) = (a.split_once('*'), b.split_once('*')) else {
        return fits(a, b) || fits(b, a);
    };
    let (a_ends, b_ends) = (after_last_star(a), after_last_star(b));
    (a_begins.starts_with(b_begins) || b_begins.starts_with(a_begins))
        && (a_ends.ends_with(b_ends) || b_ends.ends_with(a_ends))
}

fn after_last_star(pattern: &str) -> &str {
    pattern.rsplit_once('*').map_or(pattern, |(_, end)| end)
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

        #[test]
        fn patterns_meet_if_a_text_fits_both(a in "[ab*]{0,4}", b in "[ab*]{0,4}") {
            // A text that fits both needs no more than the letters of both.
            let mut texts = vec![String::new()];
            for _ in 0..8 {
                let longer: Vec<_> = texts.iter().flat_map(|text| ["a", "b"].map(|more| text.clone() + more)).collect();
                texts.extend(longer);
                texts.sort_unstable();
                texts.dedup();
            }
            prop_assert_eq!(meet(&a, &b), texts.iter().any(|text| fits(&a, text) && fits(&b, text)));
        }
    }
}

//! Names that labs take over from others, as lists for people: attributes of AWS, annotations of its controller, quirks of
//! kernels. The pages of `hairpin explain attributes` and so on.

use super::kubernetes::annotations;
use super::{attributes, glossary, hosts};

pub use glossary::glossary;

/// What there is about a word: a list of that name, an attribute, an annotation, a quirk or a word of expressions. None: it is no such word.
pub fn about(word: &str) -> Option<String> {
    let list = match word {
        "attributes" => attributes::listed(|_| true),
        "annotations" => annotations::listed(|_| true),
        "quirks" | "kernel" => hosts::quirks_listed(|_| true),
        word => {
            let short = word.strip_prefix(annotations::PREFIX).unwrap_or(word);
            [
                attributes::listed(|name| name == word),
                annotations::listed(|name| name == short && short != "attributes"),
                hosts::quirks_listed(|name| name == word),
                glossary::meaning(word).unwrap_or_default(),
            ]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
        }
    };
    (!list.is_empty()).then_some(list)
}

/// Every word that [`about`] knows.
pub fn words() -> impl Iterator<Item = &'static str> {
    let lists = ["attributes", "annotations", "quirks", "kernel"].into_iter();
    let names = attributes::names().chain(annotations::names());
    let quirks = hosts::quirk_names();
    lists.chain(names).chain(quirks).chain(glossary::words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_its_list_and_has_an_entry_of_its_own() {
        for word in words() {
            let told = about(word).unwrap_or_else(|| panic!("nothing about {word}"));
            assert!(told.ends_with('\n'), "{word}");
        }
        for (list, names) in [
            ("attributes", attributes::names().collect::<Vec<_>>()),
            ("annotations", annotations::names().collect()),
            ("quirks", hosts::quirk_names().collect()),
        ] {
            let told = about(list).expect("a list");
            for name in names {
                assert!(told.contains(&format!("{name}`")), "no {name} in\n{told}");
            }
        }
        assert_eq!(about("idle"), None);
    }

    #[test]
    fn an_attribute_says_whose_it_is_and_what_it_may_be() {
        assert_eq!(
            about("idle_timeout.timeout_seconds").expect("an attribute"),
            "Attributes of an application load balancer:\n\n- `idle_timeout.timeout_seconds`: 1 to 4000 seconds. Default: 60. How long \
             a connection may be idle, toward clients and toward targets; an answer that takes longer is 504.\n"
        );
        // Each says something: what it does, or that it does nothing.
        let all = about("attributes").expect("a list");
        for line in all.lines().filter(|line| line.starts_with('-')) {
            assert!(line.ends_with('.') && !line.ends_with(". "), "{line}");
        }
        let preserved = about("preserve_client_ip.enabled").expect("an attribute");
        assert!(
            preserved.contains("`false` with `target_type: ip`"),
            "{preserved}"
        );
        let prefixed = format!("{}scheme", annotations::PREFIX);
        assert_eq!(about(&prefixed), about("scheme"));
    }
}

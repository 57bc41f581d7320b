//! `nft:` text for every release of the program: nft 1.0.6 and older want a separator before and behind the brace that
//! closes a chain or table written on one line, and later ones do not mind it. So `chain c { accept }` is given to the
//! program as `chain c { accept;};`. Nothing else is touched; what the text means is the program's affair.

/// Words that begin a block of statements, after `add` or `create`. Every other brace is a set inside a statement.
const BLOCKS: [&str; 5] = ["table", "chain", "set", "map", "flowtable"];

/// The text with a separator wherever a release wants one.
pub(in crate::plan) fn separated(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    // For each open brace: does it hold statements?
    let mut open: Vec<bool> = Vec::new();
    let mut statement = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                out.push(letter);
                statement.push(letter);
                for inner in letters.by_ref() {
                    out.push(inner);
                    if inner == '"' {
                        break;
                    }
                }
            }
            '#' => {
                out.push(letter);
                while let Some(inner) = letters.next_if(|inner| *inner != '\n') {
                    out.push(inner);
                }
            }
            '{' => {
                open.push(begins_block(&statement));
                out.push(letter);
                statement.clear();
            }
            '}' => {
                let block = open.pop().unwrap_or(false);
                if block && !statement.trim().is_empty() {
                    out.truncate(out.trim_end().len());
                    out.push(';');
                }
                out.push(letter);
                if block && open.last().is_some_and(|outer| *outer) {
                    while let Some(blank) = letters.next_if(|next| *next == ' ' || *next == '\t') {
                        out.push(blank);
                    }
                    if letters
                        .peek()
                        .is_some_and(|next| !matches!(next, '\n' | ';' | '#'))
                    {
                        out.push(';');
                    }
                }
                // Behind a set, the statement goes on.
                statement = if block {
                    String::new()
                } else {
                    "set".to_owned()
                };
            }
            ';' | '\n' => {
                out.push(letter);
                statement.clear();
            }
            _ => {
                out.push(letter);
                statement.push(letter);
            }
        }
    }
    out
}

fn begins_block(statement: &str) -> bool {
    let mut words = statement.split_whitespace();
    let first = words.find(|word| *word != "add" && *word != "create");
    first.is_some_and(|word| BLOCKS.contains(&word)) && !statement.contains('=')
}

#[cfg(test)]
mod tests {
    use super::separated;

    #[test]
    fn blocks_on_one_line_get_their_separators() {
        assert_eq!(
            separated("table ip t { chain c { type nat hook x priority 0; masquerade } }"),
            "table ip t { chain c { type nat hook x priority 0; masquerade;} ;}"
        );
        assert_eq!(
            separated("table ip t {\n  chain a { accept } chain b { drop }\n}\n"),
            "table ip t {\n  chain a { accept;} ;chain b { drop;}\n}\n"
        );
    }

    #[test]
    fn what_has_separators_stays_as_it_is() {
        for text in [
            "table ip t {\n  chain c {\n    accept\n  }\n}\n",
            "table ip t {\n  chain c { accept; }\n}\n",
            "table ip t {\n  chain c {\n    tcp dport { 80, 443 } accept\n    log prefix \"} {\" # } \n  }\n}\n",
            "table ip t {\n  set s {\n    type ipv4_addr\n    elements = { 10.0.0.1, 10.0.0.2 }\n  }\n}\n",
            "flush ruleset",
            "} }",
        ] {
            assert_eq!(separated(text), text);
        }
    }
}

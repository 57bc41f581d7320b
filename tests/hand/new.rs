//! `new`.

use super::*;

#[test]
fn a_new_lab_checks_and_runs_and_is_never_overwritten() {
    let scratch = Scratch::new("hand-new");
    let ask = |arguments: &[&str]| {
        let output = hairpin().args(arguments).current_dir(&scratch.0).output();
        output.expect("the binary starts")
    };
    let written = ask(&["new", "mine"]);
    assert_eq!(written.status.code(), Some(0), "{}", everything(&written));
    let file = scratch.0.join("mine.yaml");
    let text = fs::read_to_string(&file).expect("it is there");
    let checked = ask(&["check", "mine.yaml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", everything(&checked));
    fs::write(&file, "mine").expect("a file");
    let refused = ask(&["new", "mine.yaml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        everything(&refused).contains("is there already"),
        "{}",
        everything(&refused)
    );
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "mine");
    let nowhere = ask(&["new", "nowhere/mine"]);
    assert_eq!(nowhere.status.code(), Some(2));
    let said = everything(&nowhere);
    assert!(said.contains("there is no folder `nowhere`"), "{said}");
    let unable = ask(&["new", "/proc/mine.yaml"]);
    assert_eq!(unable.status.code(), Some(3));
    let said = everything(&unable);
    assert!(said.contains("cannot write `/proc/mine.yaml`"), "{said}");
    let gallery = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/labs/nlb/loopback-timeout.yaml"
    );
    let copied = ask(&["new", "copy.yaml", "--from", gallery]);
    assert_eq!(copied.status.code(), Some(0), "{}", everything(&copied));
    let read = |file: &Path| fs::read_to_string(file).expect("it is there");
    let original = read(Path::new(gallery));
    // The line that tells editors where the schema is goes where it would lead nowhere, and stays where it leads there.
    let schema = "# yaml-language-server: $schema=../../schema/lab.json\n";
    let rest = original.strip_prefix(schema);
    let rest = rest.expect("labs of the gallery begin so");
    assert_eq!(read(&scratch.0.join("copy.yaml")), rest);
    for folder in ["schema", "labs/own"] {
        fs::create_dir_all(scratch.0.join(folder)).expect("a folder");
    }
    scratch.file("schema/lab.json", "{}");
    let copied = ask(&["new", "labs/own/copy", "--from", gallery]);
    assert_eq!(copied.status.code(), Some(0), "{}", everything(&copied));
    assert_eq!(read(&scratch.0.join("labs/own/copy.yaml")), original);
    if can_run_labs() {
        fs::write(&file, text).expect("a file");
        let ran = ask(&["run", "mine.yaml"]);
        assert_eq!(ran.status.code(), Some(0), "{}", everything(&ran));
    }
}

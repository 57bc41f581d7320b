//! What is saved is read back, and what is somebody else's is left alone.

use super::*;

/// A folder of its own for a test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("hairpin-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a scratch folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn case(file: &str, name: &str) -> CaseFile {
    CaseFile::new(file, "nlb/source-port-collision", name, 7)
}

fn evidence() -> Evidence {
    Evidence {
        lab: "nlb/source-port-collision".into(),
        seed: 7,
        lag_ms: 0.25,
        ..Evidence::default()
    }
}

#[test]
fn what_is_saved_is_read_back_from_its_folder_and_from_any_above() {
    let dir = Scratch::new("round-trip");
    let first = save(
        &dir.0,
        "title: x\n",
        &case("a.yaml", "as-deployed"),
        &evidence(),
    )
    .expect("saved");
    save(&dir.0, "title: x\n", &case("a.yaml", "a-fix"), &evidence()).expect("saved");
    assert_eq!(first, dir.0.join("nlb/source-port-collision/as-deployed"));
    for (from, cases) in [
        (first.clone(), 1),
        (dir.0.join("nlb"), 2),
        (dir.0.clone(), 2),
    ] {
        let saved = load(&from).expect("read back").saved;
        assert_eq!(saved.len(), cases);
        let one = saved.last().expect("a case");
        assert_eq!(
            (one.case.clone(), one.text.as_str()),
            (case("a.yaml", "as-deployed"), "title: x\n")
        );
        assert_eq!((one.evidence.seed, one.evidence.lag_ms), (7, 0.25));
    }
}

#[test]
fn the_same_case_is_replaced_and_another_lab_s_is_not() {
    let dir = Scratch::new("occupied");
    save(&dir.0, "old\n", &case("a.yaml", "c"), &evidence()).expect("saved");
    save(&dir.0, "new\n", &case("a.yaml", "c"), &evidence()).expect("replaced");
    assert_eq!(load(&dir.0).expect("read back").saved[0].text, "new\n");
    let error =
        save(&dir.0, "other\n", &case("b.yaml", "c"), &evidence()).expect_err("another lab");
    assert!(
        error
            .to_string()
            .contains("holds case `c` of a.yaml; give another folder"),
        "{error}"
    );
    assert_eq!(load(&dir.0).expect("still there").saved[0].text, "new\n");
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let dir = Scratch::new("foreign");
    let folder = folder(&dir.0, "nlb/source-port-collision", "c");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("thesis.tex"), "x").expect("a file");
    let error = save(&dir.0, "x", &case("a.yaml", "c"), &evidence()).expect_err("foreign");
    assert!(
        error
            .to_string()
            .contains("`thesis.tex`, which is no evidence"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&folder).expect("there").count(), 1);
}

#[test]
fn an_interrupted_save_is_told_and_does_not_stand_in_the_way() {
    let dir = Scratch::new("interrupted");
    let folder = save(&dir.0, "x", &case("a.yaml", "c"), &evidence()).expect("saved");
    fs::remove_file(folder.join(CASE)).expect("the mark");
    fs::write(folder.join("evidence.draft"), "{").expect("a draft");
    let cut_off = |found| matches!(found, Err(StoreError::Unfinished { .. }));
    assert!(cut_off(load(&dir.0)));
    // It was cut off earlier.
    fs::remove_file(folder.join(EVIDENCE)).expect("there");
    fs::write(folder.join("case.draft"), "").expect("a draft");
    assert!(cut_off(load(&dir.0)));
    let whole = save(&dir.0, "z", &case("a.yaml", "d"), &evidence()).expect("saved");
    assert!(!whole.join("case.draft").exists());
    let loaded = load(&dir.0).expect("one is whole");
    assert_eq!((loaded.saved.len(), loaded.damaged.len()), (1, 1));
    save(&dir.0, "y", &case("b.yaml", "c"), &evidence()).expect("saved over it");
}

#[test]
fn names_stay_inside_the_folder() {
    let under = |lab, case| folder(Path::new("d"), lab, case).display().to_string();
    assert_eq!(under("nlb/a.b", "c"), "d/nlb/a.b/c");
    assert_eq!(under("../..//x", ".."), "d/%2E./%2E./x/%2E.");
    assert_eq!(under("a b", "c/d"), "d/a%20b/c%2Fd");
    assert_eq!(under("", ""), "d/%");
}

#[test]
fn errors_say_what_and_where() {
    let dir = Scratch::new("errors");
    let nothing = load(&dir.0).expect_err("empty").to_string();
    assert!(nothing.contains("holds no saved case"), "{nothing}");
    let missing = load(&dir.0.join("none")).expect_err("missing").to_string();
    assert!(missing.starts_with("cannot look into "), "{missing}");
    let folder = save(&dir.0, "x", &case("a.yaml", "c"), &evidence()).expect("saved");
    fs::write(folder.join(EVIDENCE), "{\"lab\": 3}").expect("broken");
    let broken = load(&dir.0).expect_err("broken").to_string();
    assert!(
        broken.contains("evidence.json is not what hairpin wrote there"),
        "{broken}"
    );
    let later = CaseFile {
        version: 99,
        ..case("a.yaml", "c")
    };
    fs::write(
        folder.join(CASE),
        serde_json::to_string(&later).expect("json"),
    )
    .expect("later");
    let later = load(&dir.0).expect_err("later").to_string();
    assert!(later.contains("layout version 99"), "{later}");
    fs::write(dir.0.join("file"), "").expect("a file");
    let error =
        save(&dir.0.join("file"), "x", &case("a.yaml", "c"), &evidence()).expect_err("no folder");
    assert!(error.to_string().starts_with("cannot "), "{error}");
}

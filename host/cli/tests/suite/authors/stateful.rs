//! The READMEs of new projects show a detector whose knowledge outlives the run: it is built as they say, and goes on
//! as if it had never been interrupted.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::templates::author;
use crate::support::{Database, Files, finish, succeed};

/// Abilities come together in a class that has them all.
const MORE_PYTHON: &str = "
    def score(self, batch: Batch) -> list[float]:
        scores = [0.0] * len(batch.amounts)
        for anomaly in self.classify(batch):
            scores[anomaly.row] = float(anomaly.score)
        return scores

    def feedback(self, batch: Batch, labels: list[bool]) -> None:
        for user, is_fraud in zip(batch.user_ids, labels):
            if is_fraud:
                self.countries.pop(user, None)
";

/// The first block of this language in a document.
fn block(document: &str, language: &str) -> String {
    let start = format!("```{language}\n");
    let (_, rest) = document.split_once(&start).expect("the README has an example");
    rest.split_once("```").expect("the block ends").0.to_owned()
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{}: {text}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Builds the README's detector, and more of it, with this line of shell; it must keep so many rules.
fn continues(language: &str, fence: &str, source: &str, more: &str, build: &str, rules: usize) {
    let (database, files) = (Database::new(), Files::new());
    let new = ["plugin", "new", "travel", "--lang", language];
    succeed(author("host", files.path(), language, &database).args(new));
    let folder = files.path().join("travel");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    fs::write(folder.join(source), block(&readme, fence) + more).unwrap();
    if folder.join("component.js").is_file() {
        // The unit tests are about the project's first detector.
        fs::remove_dir_all(folder.join("test")).unwrap();
        for told in ["`component.js` exports `snapshot` and `restore`", "`--world stateful-detector`"] {
            assert!(readme.contains(told), "{readme}");
        }
        replace(&folder.join("component.js"), "finish }", "finish, snapshot, restore }");
        replace(&folder.join("package.json"), "--world detector", "--world stateful-detector");
    }
    if let Ok(requirements) = fs::File::options().write(true).open(folder.join("requirements.txt")) {
        requirements.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    succeed(author("sh", &folder, language, &database).args(["-ec", build]));
    // How fast it is depends on who else is busy on the machine.
    let check = ["plugin", "check", ".", "--row-time", "1s", "--deadline", "10min", "--format", "json"];
    let checked = finish(author("host", &folder, language, &database).args(check));
    let report: Value = serde_json::from_str(checked.stdout.lines().last().unwrap()).unwrap();
    let reports = report["rules"].as_array().unwrap();
    let with = |result: &str| reports.iter().filter(|rule| rule["result"] == result).count();
    assert_eq!((checked.code, with("ok"), with("failed"), with("warning")), (0, rules, 0, 0), "{report:#}");
    let told =
        |name: &str| reports.iter().find(|rule| rule["rule"] == name).unwrap()["detail"].as_str().unwrap();
    assert!(told("state").ends_with("over three runs; an invalid state is refused"), "{report:#}");
    assert!(!told("usual-rows").starts_with("0 of"), "{report:#}");
}

#[test]
fn in_python() {
    continues("python", "python", "app.py", MORE_PYTHON, "make", 20);
}

#[test]
fn in_javascript() {
    continues("javascript", "js", "detector.js", "", "npm install && npm run build", 18);
}

#[test]
fn in_typescript() {
    continues("typescript", "ts", "detector.ts", "", "npm install && npm run build", 18);
}

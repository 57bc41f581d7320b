//! Captures in the folder of a case. Not here: what a capture says (see `capture`).

use super::errors::io_error;
use super::{DRAFT, StoreError, file_name, folder, names_in};
use crate::evidence::capture::Files;
use std::fs;
use std::io::{self, BufWriter};
use std::path::Path;

const CAPTURE: &str = "capture";
const PCAPNG: &str = "pcapng";

/// Saves a case's capture in its folder under `dir`: a file for all attachments, and one for each of those named.
/// `write` gets the attachment's name, none for the case. What an earlier run left there is removed.
pub fn save_capture(
    dir: &Path,
    (lab, case): (&str, &str),
    attachments: &[String],
    mut write: impl FnMut(Option<&str>, &mut BufWriter<fs::File>) -> io::Result<()>,
) -> Result<Files, StoreError> {
    let folder = folder(dir, lab, case);
    fs::create_dir_all(&folder).map_err(io_error("create the folder", &folder))?;
    remove_captures(&folder)?;
    let path = folder.join(format!("{CAPTURE}.{PCAPNG}"));
    super::write(&path, |file| write(None, file))?;
    let mut files = Files {
        case: path.display().to_string(),
        ..Files::default()
    };
    for name in attachments {
        // Names have no dots, so no two are the same file.
        let parts: Vec<String> = name.split('/').map(file_name).collect();
        let path = folder.join(format!("{CAPTURE}.{}.{PCAPNG}", parts.join(".")));
        super::write(&path, |file| write(Some(name), file))?;
        files
            .attachments
            .insert(name.clone(), path.display().to_string());
    }
    Ok(files)
}

/// The capture beside a saved case, the file of the whole case only.
pub fn capture_beside(folder: &Path) -> Option<Files> {
    let path = folder.join(format!("{CAPTURE}.{PCAPNG}"));
    path.is_file().then(|| Files {
        case: path.display().to_string(),
        ..Files::default()
    })
}

/// `capture.pcapng`, `capture.web1.pcapng`, or the draft of one.
pub(super) fn is_capture(name: &Path) -> bool {
    let text = name.to_str().unwrap_or_default();
    let rest = text.strip_prefix(CAPTURE).unwrap_or_default();
    let ending = rest.rsplit_once('.').map_or("", |(_, ending)| ending);
    rest.starts_with('.') && (ending == PCAPNG || ending == DRAFT)
}

/// A capture of an earlier run tells of other packets.
pub(super) fn remove_captures(folder: &Path) -> Result<(), StoreError> {
    for name in names_in(folder)? {
        if is_capture(&name) {
            let path = folder.join(name);
            fs::remove_file(&path).map_err(io_error("replace", &path))?;
        }
    }
    Ok(())
}

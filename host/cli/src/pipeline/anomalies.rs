//! The file of a check's anomalies: a CSV with one line for each, in the order of the rows. An existing file
//! stays until all of them are written.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use host_core::anomaly::Classified;
use host_core::threads::in_thread;
use host_source::output_file::{self, NewFile, NotInPlace};

use super::prepare::Prepared;
use crate::error::{AnomaliesFileError, Error};

const COLUMNS: [&str; 5] = ["file", "line", "transaction_id", "score", "reason"];

/// The file during a check. Dropping it leaves an existing file as it was.
pub(super) struct AnomaliesFile {
    path: PathBuf,
    /// `None` while a thread writes to it.
    writer: Option<csv::Writer<File>>,
    /// The file to be put in place; `None` for a stream.
    new: Option<NewFile>,
}

impl AnomaliesFile {
    /// Opens it; it must not be one of the files that the check reads.
    pub async fn create(path: &Path, prepared: &Prepared) -> Result<AnomaliesFile, Error> {
        let mut read = prepared.list.files.clone();
        read.push(prepared.plugin_file.clone());
        let path = path.to_owned();
        in_thread(move || AnomaliesFile::create_here(path, &read)).await?.map_err(Error::from)
    }

    fn create_here(path: PathBuf, read: &[PathBuf]) -> Result<AnomaliesFile, AnomaliesFileError> {
        if let Some(other) = output_file::input_at(&path, read) {
            return Err(AnomaliesFileError::OverInput { file: path, other: other.clone() });
        }
        let opened = output_file::create(&path, ".anomalies-").and_then(|(file, new)| {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(COLUMNS)?;
            Ok((writer, new))
        });
        match opened {
            Ok((writer, new)) => Ok(AnomaliesFile { path, writer: Some(writer), new }),
            Err(source) => Err(AnomaliesFileError::Write { file: path, source }),
        }
    }

    /// Adds the anomalies of a part.
    pub async fn write(&mut self, part: &Classified) -> Result<(), Error> {
        let Classified { batch, anomalies, .. } = part;
        if anomalies.is_empty() {
            return Ok(());
        }
        let records: Vec<[String; 5]> = anomalies
            .iter()
            .map(|anomaly| {
                let i = anomaly.row as usize;
                [
                    batch.file.to_string(),
                    batch.lines[i].to_string(),
                    batch.transaction_ids[i].to_string(),
                    anomaly.score.to_string(),
                    anomaly.reason.clone(),
                ]
            })
            .collect();
        self.on_thread(move |writer| {
            records.iter().try_for_each(|record| writer.write_record(record))?;
            Ok(())
        })
        .await
    }

    /// Writes what is left, and puts the file in place.
    pub async fn finish(mut self) -> Result<(), Error> {
        let is_stream = self.new.is_none();
        self.on_thread(move |writer| {
            writer.flush()?;
            if is_stream { Ok(()) } else { writer.get_ref().sync_all() }
        })
        .await?;
        let Some(new) = self.new else { return Ok(()) };
        let put = new.put_in_place();
        Ok(put.map_err(|NotInPlace { file, source, .. }| AnomaliesFileError::Write { file, source })?)
    }

    /// A reader may be slow, so writing happens on a thread.
    async fn on_thread(
        &mut self,
        act: impl FnOnce(&mut csv::Writer<File>) -> io::Result<()> + Send + 'static,
    ) -> Result<(), Error> {
        let Some(mut writer) = self.writer.take() else { return Err(Error::Internal("the file is in use")) };
        let (writer, acted) = in_thread(move || {
            let acted = act(&mut writer);
            (writer, acted)
        })
        .await?;
        self.writer = Some(writer);
        let fail = |source| AnomaliesFileError::Write { file: self.path.clone(), source };
        Ok(acted.map_err(fail)?)
    }
}

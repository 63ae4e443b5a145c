//! What the files around the code promise, as far as it can be known without the services that read
//! them: workflows, templates, licences, packages, links in documents.

mod circles;
mod documents;
mod files;
mod manifests;
mod workflows;

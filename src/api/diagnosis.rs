//! Why Cloud Infinite refuses our signature, for the log alone.

use super::request_id::RequestId;
use crate::signing::Diagnosis;
use crate::telemetry::Metrics;

/// Counts the cause, and tells it in one line with the request's id; nothing of it goes to the caller.
pub(super) fn tell(metrics: &Metrics, id: &RequestId, diagnosis: &Diagnosis) {
    metrics.signature_diagnosis(diagnosis.cause().as_str());
    tracing::warn!(
        request_id = id.as_str(),
        cause = diagnosis.cause().as_str(),
        part = diagnosis.part(),
        position = diagnosis.position(),
        ours = diagnosis.ours(),
        theirs = diagnosis.theirs(),
        hint = diagnosis.cause().sentence(),
        "Cloud Infinite refuses our signature"
    );
}

//! CloudTrail: the trail. CreateTrail does not start it; a trail that exists and logs nothing looks well from afar.

use super::{AwsSurroundings, if_there, unsendable};
use crate::core::surroundings::{AwsError, NewTrail, Trail, Trails};
use aws_sdk_cloudtrail::operation::get_event_selectors::GetEventSelectorsOutput;
use aws_sdk_cloudtrail::types::{EventSelector, ReadWriteType};

const SERVICE: &str = "cloudtrail";
const KMS: &str = "kms.amazonaws.com";

impl Trails for AwsSurroundings {
    fn trail(&self, name: &str) -> Result<Option<Trail>, AwsError> {
        let found = if_there(self.call(SERVICE, "GetTrail", self.trails.get_trail().name(name).send()))?;
        let Some(found) = found.and_then(|found| found.value.trail) else { return Ok(None) };
        let arn = found.trail_arn.clone().unwrap_or_default();
        let status = self.call(SERVICE, "GetTrailStatus", self.trails.get_trail_status().name(&arn).send())?.value;
        let selectors = self.trails.get_event_selectors().trail_name(&arn).send();
        let selectors = self.call(SERVICE, "GetEventSelectors", selectors)?.value;
        let delivery_error = [
            ("to the bucket", status.latest_delivery_error),
            ("to the log group", status.latest_cloud_watch_logs_delivery_error),
            ("of digests", status.latest_digest_delivery_error),
        ];
        let delivery_error = delivery_error.into_iter().find_map(|(where_to, error)| {
            error.filter(|e| !e.is_empty()).map(|error| format!("the last delivery {where_to} failed: {error}"))
        });
        Ok(Some(Trail {
            arn,
            home_region: found.home_region,
            bucket: found.s3_bucket_name.unwrap_or_default(),
            key: found.kms_key_id.filter(|key| !key.is_empty()),
            logs: found.cloud_watch_logs_log_group_arn.zip(found.cloud_watch_logs_role_arn),
            multi_region: found.is_multi_region_trail.unwrap_or(false),
            validates: found.log_file_validation_enabled.unwrap_or(false),
            global_events: found.include_global_service_events.unwrap_or(false),
            logging: status.is_logging.unwrap_or(false),
            delivery_error,
            delivered_at: status.latest_delivery_time.and_then(|at| jiff::Timestamp::from_second(at.secs()).ok()),
            unrecorded: unrecorded(&selectors),
            records_more: !selectors.advanced_event_selectors().is_empty()
                || selectors.event_selectors().iter().any(|selector| !selector.data_resources().is_empty()),
        }))
    }

    fn create_trail(&self, trail: &NewTrail) -> Result<(), AwsError> {
        let (group, role) = trail.logs.clone().unzip();
        let call = self
            .trails
            .create_trail()
            .name(&trail.name)
            .s3_bucket_name(&trail.bucket)
            .set_kms_key_id(trail.key.clone())
            .set_cloud_watch_logs_log_group_arn(group)
            .set_cloud_watch_logs_role_arn(role)
            .is_multi_region_trail(true)
            .include_global_service_events(true)
            .enable_log_file_validation(true);
        self.call(SERVICE, "CreateTrail", call.send()).map(drop)
    }

    fn update_trail(&self, trail: &NewTrail) -> Result<(), AwsError> {
        let (group, role) = trail.logs.clone().unzip();
        let call = self
            .trails
            .update_trail()
            .name(&trail.name)
            .s3_bucket_name(&trail.bucket)
            // An empty text takes the key off again; leaving it out keeps what was there (CloudTrail API: UpdateTrail).
            .kms_key_id(trail.key.clone().unwrap_or_default())
            .set_cloud_watch_logs_log_group_arn(group)
            .set_cloud_watch_logs_role_arn(role)
            .is_multi_region_trail(true)
            .include_global_service_events(true)
            .enable_log_file_validation(true);
        self.call(SERVICE, "UpdateTrail", call.send()).map(drop)
    }

    fn record_all(&self, trail: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "PutEventSelectors";
        let all = EventSelector::builder()
            .read_write_type(ReadWriteType::All)
            .include_management_events(true)
            .set_exclude_management_event_sources(Some(Vec::new()))
            .build();
        let call = self.trails.put_event_selectors().trail_name(trail).event_selectors(all);
        self.call(SERVICE, OPERATION, call.send()).map(drop)
    }

    fn start_logging(&self, trail: &str) -> Result<(), AwsError> {
        if trail.is_empty() {
            return Err(unsendable(SERVICE, "StartLogging", "a trail without a name"));
        }
        self.call(SERVICE, "StartLogging", self.trails.start_logging().name(trail).send()).map(drop)
    }
}

/// Decrypt and GenerateDataKey are read events: a trail of writes alone does not say who opened what.
fn unrecorded(found: &GetEventSelectorsOutput) -> Option<String> {
    let (basic, advanced) = (found.event_selectors(), found.advanced_event_selectors());
    if basic.is_empty() && advanced.is_empty() {
        // What a trail records that nobody told otherwise.
        return None;
    }
    let whole = |selector: &EventSelector| {
        selector.include_management_events() != Some(false)
            && selector.read_write_type().is_none_or(|kind| *kind == ReadWriteType::All)
            && !selector.exclude_management_event_sources().iter().any(|source| source == KMS)
    };
    let whole_advanced = |selector: &aws_sdk_cloudtrail::types::AdvancedEventSelector| {
        let is_management = selector
            .field_selectors()
            .iter()
            .any(|field| field.field() == "eventCategory" && field.equals().iter().any(|v| v == "Management"));
        // Any further field narrows it: readOnly, eventSource.
        is_management && selector.field_selectors().iter().all(|field| field.field() == "eventCategory")
    };
    if basic.iter().any(whole) || advanced.iter().any(whole_advanced) {
        return None;
    }
    let excluded = basic.iter().any(|s| s.exclude_management_event_sources().iter().any(|source| source == KMS));
    Some(
        if excluded { "KMS is excluded from it" } else { "its event selectors leave management events out" }.to_owned(),
    )
}

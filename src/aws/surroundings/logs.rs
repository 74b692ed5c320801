//! CloudWatch Logs: the log group and the metric filters over it.

use super::{AwsSurroundings, if_there, unsendable};
use crate::core::surroundings::{AwsError, Filter, LogGroup, Logs};
use aws_sdk_cloudwatchlogs::types::{MetricFilter, MetricTransformation};

const SERVICE: &str = "logs";
/// What a filter counts for each event.
const ONE: &str = "1";

impl Logs for AwsSurroundings {
    fn log_group(&self, name: &str) -> Result<Option<LogGroup>, AwsError> {
        let mut next = None;
        loop {
            let call = self.logs.describe_log_groups().log_group_name_prefix(name).set_next_token(next);
            let page = self.call(SERVICE, "DescribeLogGroups", call.send())?.value;
            if let Some(found) = page.log_groups().iter().find(|group| group.log_group_name() == Some(name)) {
                let retention_days = found.retention_in_days().and_then(|days| days.try_into().ok());
                let created_at = found.creation_time().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
                return Ok(Some(LogGroup { retention_days, created_at }));
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(None);
            }
        }
    }

    fn create_log_group(&self, name: &str) -> Result<(), AwsError> {
        self.call(SERVICE, "CreateLogGroup", self.logs.create_log_group().log_group_name(name).send()).map(drop)
    }

    fn keep_logs(&self, group: &str, days: u32) -> Result<(), AwsError> {
        let call = self.logs.put_retention_policy().log_group_name(group).retention_in_days(days.cast_signed());
        self.call(SERVICE, "PutRetentionPolicy", call.send()).map(drop)
    }

    fn filters(&self, group: &str) -> Result<Vec<Filter>, AwsError> {
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let call = self.logs.describe_metric_filters().log_group_name(group).set_next_token(next);
            let Some(page) = if_there(self.call(SERVICE, "DescribeMetricFilters", call.send()))? else {
                return Ok(all);
            };
            all.extend(page.value.metric_filters().iter().filter_map(filter));
            next = page.value.next_token;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    fn put_filter(&self, group: &str, filter: &Filter) -> Result<(), AwsError> {
        const OPERATION: &str = "PutMetricFilter";
        let counts = MetricTransformation::builder()
            .metric_namespace(&filter.namespace)
            .metric_name(&filter.metric)
            .metric_value(ONE)
            .build()
            .map_err(|e| unsendable(SERVICE, OPERATION, e))?;
        let call = self.logs.put_metric_filter().log_group_name(group).filter_name(&filter.name);
        let call = call.filter_pattern(&filter.pattern).metric_transformations(counts);
        self.call(SERVICE, OPERATION, call.send()).map(drop)
    }
}

/// A filter that counts one for each event; another does not fire our alarms.
fn filter(found: &MetricFilter) -> Option<Filter> {
    let counts = found.metric_transformations().first().filter(|t| t.metric_value() == ONE)?;
    Some(Filter {
        name: found.filter_name()?.to_owned(),
        pattern: found.filter_pattern().unwrap_or_default().to_owned(),
        namespace: counts.metric_namespace().to_owned(),
        metric: counts.metric_name().to_owned(),
    })
}

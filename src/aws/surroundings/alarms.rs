//! CloudWatch: an alarm for each thing that is watched.

use super::AwsSurroundings;
use crate::core::surroundings::{Alarm, Alarms, AwsError};
use aws_sdk_cloudwatch::types::{ComparisonOperator, MetricAlarm, Statistic};

const SERVICE: &str = "cloudwatch";
/// Seconds an alarm looks back: delivery to a log group takes minutes anyway.
const PERIOD: i32 = 300;
/// No event is no reason to be alarmed, nor to know nothing.
const MISSING: &str = "notBreaching";

impl Alarms for AwsSurroundings {
    fn alarms(&self, prefix: &str) -> Result<Vec<Alarm>, AwsError> {
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let call = self.alarms.describe_alarms().alarm_name_prefix(prefix).set_next_token(next);
            let page = self.call(SERVICE, "DescribeAlarms", call.send())?.value;
            all.extend(page.metric_alarms().iter().map(alarm));
            next = page.next_token;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    fn put_alarm(&self, alarm: &Alarm, why: &str) -> Result<(), AwsError> {
        let call = self
            .alarms
            .put_metric_alarm()
            .alarm_name(&alarm.name)
            .alarm_description(why)
            .namespace(&alarm.namespace)
            .metric_name(&alarm.metric)
            .statistic(Statistic::Sum)
            .period(PERIOD)
            .evaluation_periods(1)
            .threshold(1.0)
            .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
            .treat_missing_data(MISSING)
            .actions_enabled(true)
            .set_alarm_actions(Some(alarm.actions.clone()));
        self.call(SERVICE, "PutMetricAlarm", call.send()).map(drop)
    }
}

fn alarm(found: &MetricAlarm) -> Alarm {
    let fires = found.statistic() == Some(&Statistic::Sum)
        && found.period() == Some(PERIOD)
        && found.evaluation_periods() == Some(1)
        && found.threshold() == Some(1.0)
        && found.comparison_operator() == Some(&ComparisonOperator::GreaterThanOrEqualToThreshold)
        && found.dimensions().is_empty()
        && found.unit().is_none()
        && found.treat_missing_data() == Some(MISSING);
    Alarm {
        name: found.alarm_name().unwrap_or_default().to_owned(),
        namespace: found.namespace().unwrap_or_default().to_owned(),
        metric: found.metric_name().unwrap_or_default().to_owned(),
        actions: found.alarm_actions().to_vec(),
        speaks: found.actions_enabled() != Some(false),
        fires,
    }
}

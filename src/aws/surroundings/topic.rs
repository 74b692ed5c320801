//! SNS: the topic that alarms speak through. CreateTopic of a name that is there answers with the topic that is there.

use super::{AwsSurroundings, if_there};
use crate::core::surroundings::{AwsError, Subscriber, Topic, Topics};

const SERVICE: &str = "sns";
/// Stands instead of an ARN until the subscriber has confirmed.
const PENDING: &str = "PendingConfirmation";

impl Topics for AwsSurroundings {
    fn topic(&self, arn: &str) -> Result<Option<Topic>, AwsError> {
        let call = self.topics.get_topic_attributes().topic_arn(arn).send();
        let Some(found) = if_there(self.call(SERVICE, "GetTopicAttributes", call))? else { return Ok(None) };
        let attribute = |name: &str| found.value.attributes().and_then(|all| all.get(name)).cloned();
        let (policy, key) = (attribute("Policy"), attribute("KmsMasterKeyId").filter(|key| !key.is_empty()));
        let (mut subscribers, mut next) = (Vec::new(), None);
        loop {
            let call = self.topics.list_subscriptions_by_topic().topic_arn(arn).set_next_token(next);
            let page = self.call(SERVICE, "ListSubscriptionsByTopic", call.send())?.value;
            for one in page.subscriptions() {
                let who = Subscriber {
                    protocol: one.protocol().unwrap_or_default().to_owned(),
                    endpoint: one.endpoint().unwrap_or_default().to_owned(),
                };
                let confirmed = one.subscription_arn().is_some_and(|arn| arn != PENDING && arn.starts_with("arn:"));
                subscribers.push((who, confirmed));
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(Some(Topic { policy, key, subscribers }));
            }
        }
    }

    fn create_topic(&self, name: &str) -> Result<(), AwsError> {
        self.call(SERVICE, "CreateTopic", self.topics.create_topic().name(name).send()).map(drop)
    }

    fn put_topic_policy(&self, arn: &str, policy: &str) -> Result<(), AwsError> {
        let call = self.topics.set_topic_attributes().topic_arn(arn).attribute_name("Policy").attribute_value(policy);
        self.call(SERVICE, "SetTopicAttributes", call.send()).map(drop)
    }

    fn subscribe(&self, arn: &str, who: &Subscriber) -> Result<(), AwsError> {
        let call = self.topics.subscribe().topic_arn(arn).protocol(&who.protocol).endpoint(&who.endpoint);
        self.call(SERVICE, "Subscribe", call.send()).map(drop)
    }
}

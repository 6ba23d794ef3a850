"""Does to a real Kafka what Strimzi's operators do with the manifests of the chart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined] # hides some
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from tests.support.helm import Manifest, kinds

ANSWER_SECONDS = 30
ITERATIONS = 4096
# Without both, a broker would let everybody do everything, or nobody anything. The
# listener without login is the brokers' own and the tests'.
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "false",
}
# Has the broker log whoever is refused; without some rights clients go on in silence.
DENIALS = """\
logger.authorizer.name=kafka.authorizer.logger
logger.authorizer.level=INFO
"""


def denials(log: str) -> list[str]:
    """Return the lines of a broker's log in which the authorizer refused."""
    return [line for line in log.splitlines() if "is Denied" in line]


def apply(
    admin: AdminClient, manifests: Sequence[Manifest], passwords: Mapping[str, str]
) -> None:
    """Make the topics, the users, and exactly their rights.

    Args:
        admin: a super user.
        manifests: KafkaTopics and KafkaUsers, as the chart renders them.
        passwords: of every user, by name.
    """
    topics = [_topic(one["spec"]) for one in kinds(manifests, "KafkaTopic")]
    users = kinds(manifests, "KafkaUser")
    logins = [_login(one["metadata"]["name"], passwords) for one in users]
    rights = [right for one in users for right in _rights(one)]
    for futures in (
        admin.create_topics(topics),
        admin.alter_user_scram_credentials(logins),
        admin.create_acls(rights),
    ):
        for future in futures.values():
            future.result(ANSWER_SECONDS)


def _topic(spec: Mapping[str, Any]) -> NewTopic:
    # One broker can hold one replica.
    return NewTopic(spec["topicName"], spec["partitions"], 1, config=spec.get("config"))


def _login(user: str, passwords: Mapping[str, str]) -> UserScramCredentialAlteration:
    kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    return UserScramCredentialUpsertion(user, kind, passwords[user].encode())


def _rights(user: Manifest) -> Iterator[AclBinding]:
    assert user["spec"]["authorization"]["type"] == "simple"
    for acl in user["spec"]["authorization"]["acls"]:
        resource = acl["resource"]
        for operation in acl["operations"]:
            yield AclBinding(
                ResourceType[resource["type"].upper()],
                resource["name"],
                ResourcePatternType[resource["patternType"].upper()],
                f"User:{user['metadata']['name']}",
                "*",
                AclOperation[_upper(operation)],
                AclPermissionType.ALLOW,
            )


def _upper(operation: str) -> str:
    """Turn `DescribeConfigs` into `DESCRIBE_CONFIGS`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()

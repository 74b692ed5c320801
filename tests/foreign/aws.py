"""One AWS call by botocore, which shares no code with the program under test: what it makes is seen, and broken, by somebody else.

Usage: aws.py SERVICE=ENDPOINT REGION OPERATION PARAMETERS-AS-JSON
"""

import json
import sys

import botocore.session
from botocore import xform_name
from botocore.config import Config


def main():
    where, region, operation, parameters = sys.argv[1:5]
    service, endpoint = where.split("=", 1)
    client = botocore.session.get_session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="AKIAFOREIGNFOREIGN",
        aws_secret_access_key="not-a-secret",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, proxies={}),
    )
    answer = getattr(client, xform_name(operation))(**json.loads(parameters))
    answer.pop("ResponseMetadata", None)
    print(json.dumps(answer, default=str))


main()

"""Which options of CloudWatch Logs' operations are implemented; see `local_sagemaker.protocol.options`."""

from local_sagemaker.protocol.options import Members, Options

NO_EFFECT = {
    "log events have no masked data": "unmask",
    "AWS ignores it": "interleaved",
    "data is not encrypted, because it stays on this machine": "kmsKeyId",
    "groups are deleted by whoever may use this machine": "deletionProtectionEnabled",
}

SHAPES = {
    "DescribeLogGroupsRequest": Members(
        "logGroupNamePrefix nextToken limit",
        refused="accountIdentifiers includeLinkedAccounts logGroupIdentifiers logGroupNamePattern",
        only={"logGroupClass": ("STANDARD",)},
    ),
    "DescribeLogStreamsRequest": Members(
        "logGroupName logGroupIdentifier logStreamNamePrefix orderBy descending nextToken limit"
    ),
    "GetLogEventsRequest": Members("logGroupName logGroupIdentifier startTime endTime nextToken limit startFromHead"),
    "FilterLogEventsRequest": Members(
        "logGroupName logGroupIdentifier logStreamNames logStreamNamePrefix startTime endTime filterPattern nextToken "
        "limit",
        only={"startFromHead": (True,)},
    ),
    "CreateLogGroupRequest": Members("logGroupName", refused="tags", only={"logGroupClass": ("STANDARD",)}),
    "GetQueryResultsRequest": Members("queryId", refused="nextToken maxItems"),
    "StartQueryRequest": Members(
        "logGroupName logGroupNames logGroupIdentifiers startTime endTime queryString limit",
        only={"queryLanguage": ("CWLI",)},
    ),
    "DescribeQueriesRequest": Members(
        "logGroupName status maxResults", refused="nextToken", only={"queryLanguage": ("CWLI",)}
    ),
}

OPTIONS = Options("logs", SHAPES, NO_EFFECT)

#!/bin/bash
# Its counterpart for member-leave and member-failed: takes the lines away.
CFG=$1

[ "x${SERF_TAG_ROLE}" = "xlb" ] || exit 0

while read -r NAME ADDRESS ROLE TAGS; do
    sed -i "/server $NAME /d" "$CFG"
    echo "$SERF_EVENT: $NAME $ADDRESS $TAGS"
done

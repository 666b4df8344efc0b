#!/bin/bash
# A Serf handler for member-join, as a teaching lab has it: on the load balancer
# it adds a server line to haproxy.cfg for each web member that joined.
CFG=$1

if [ "x${SERF_SELF_ROLE}" != "xlb" ]; then
    echo "Not an lb. Ignoring member join."
    exit 0
fi

while read line; do
    ROLE=`echo $line | awk '{print \$3 }'`
    if [ "x${ROLE}" != "xweb" ]; then
        continue
    fi
    NAME=`echo $line | awk '{print \$1 }'`
    sed -i "/server $NAME /d" $CFG
    echo $line | awk '{ printf "    server %s %s:80 check\n", $1, $2 }' >>$CFG
    echo "$SERF_EVENT on $SERF_SELF_NAME: $NAME"
done

# An app's image gains the agent by one line (COPY), and starts under it. Put your
# own image in place of the second FROM, and your own command at the end.
ARG TANDEM_IMAGE=tandem
FROM ${TANDEM_IMAGE} AS tandem

FROM tandem
COPY --from=tandem /usr/bin/tandem /usr/bin/tandem
ENTRYPOINT ["/usr/bin/tandem", "agent", "--pool", "web", "--port", "3000", "--check", "/healthz", \
            "--gossip-key-file", "/run/secrets/gossip_key", "--join", "172.30.42.42", "--"]
CMD ["/usr/bin/tandem", "webapp", "--listen", ":3000"]

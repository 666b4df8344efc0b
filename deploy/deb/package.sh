# Makes the Debian package; deploy/release.sh sources this file.
# shellcheck shell=bash disable=SC2154 # the variables are release.sh's

# debian_version writes Go's version as Debian sorts it: what precedes a release
# comes after a tilde.
debian_version() {
	local v=${version/-/\~}
	printf '%s' "${v//-/.}"
}

# place MODE FILE… DIRECTORY: copies into the tree of the package.
place() {
	local directory=$tree${*: -1}
	mkdir -p "$directory"
	install -m "$1" "${@:2:$#-2}" "$directory"
}

# package BINARY ARCHITECTURE
package() {
	local tree=$work/$2 doc=/usr/share/doc/tandem
	rm -rf "$tree"
	mkdir -p "$tree/DEBIAN"
	place 755 "$1" /usr/bin
	mv "$tree/usr/bin/${1##*/}" "$tree/usr/bin/tandem"

	place 644 deploy/systemd/tandem.service deploy/systemd/tandem-agent.service /usr/lib/systemd/system
	mkdir -p "$tree/usr/lib/sysusers.d"
	install -m 644 deploy/deb/sysusers.conf "$tree/usr/lib/sysusers.d/tandem.conf"
	mkdir -p "$tree/usr/share/tandem"
	install -m 644 deploy/deb/apparmor "$tree/usr/share/tandem/apparmor"
	conffiles
	documents "$1"
	generated
	place 755 deploy/deb/{postinst,prerm,postrm} /DEBIAN
	mkdir -p "$tree/usr/share/lintian/overrides"
	install -m 644 deploy/deb/lintian-overrides "$tree/usr/share/lintian/overrides/tandem"
	control "$2" > "$tree/DEBIAN/control"
	(cd "$tree" && find etc -type f -printf '/%p\n' | sort) > "$tree/DEBIAN/conffiles"
	(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$tree/DEBIAN/md5sums"
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	# gzip needs a fifth of xz's time, and its bytes do not depend on the number of processors.
	dpkg-deb --root-owner-group -Zgzip --build "$tree" "$out/tandem_$(debian_version)_$2.deb" > /dev/null
}

# The examples come as comments: until somebody has written what this site is, a
# balancer that is started refuses to run, and says why.
conffiles() {
	mkdir -p "$tree/etc/tandem" "$tree/etc/default"
	local name
	for name in tandem:small agent:agent; do
		{
			cat "deploy/deb/head-${name%:*}.toml"
			sed -e '1,/^$/d' -e 's/^\(.\)/#\1/' "deploy/examples/${name#*:}.toml"
		} > "$tree/etc/tandem/${name%:*}.toml"
	done
	install -m 644 deploy/deb/default "$tree/etc/default/tandem"
	chmod 644 "$tree"/etc/tandem/*
}

documents() {
	place 644 deploy/deb/copyright README.md deploy/docs/*.md "$doc"
	place 644 deploy/examples/* internal/config/reference.toml internal/config/agent-reference.toml "$doc/examples"
	local author="Tandem maintainers <maintainers@users.noreply.github.com>"
	printf 'tandem (%s) unstable; urgency=medium\n\n  * Commit\n    %s\n\n -- %s  %s\n' \
		"$(debian_version)" "$(stamped "$1" vcs.revision)" "$author" "$(date -R -d "@$SOURCE_DATE_EPOCH")" |
		gzip -9n > "$tree$doc/changelog.gz"
	# The licences of what is linked in want to be where the binary is.
	local path at text
	{
		go env GOROOT
		go version -m "$1" | awk -F'\t' '$2 == "dep" { print $3 }' | xargs go list -m -f '{{.Dir}}'
	} | while read -r at; do
		path=${at#"$(go env GOMODCACHE)/"}
		for text in "$at"/LICENSE* "$at"/COPYING* "$at"/NOTICE*; do
			[[ ! -f $text ]] || { printf '\n=== %s: %s\n\n' "${path/#\/*/Go}" "${text##*/}" && cat "$text"; }
		done
	done | gzip -9n > "$tree$doc/modules-copyright.gz"
	gzip -9n "$tree$doc"/{README,measured}.md
	chmod 644 "$tree$doc"/*.gz
}

# What the binary says of itself.
generated() {
	local share=$tree/usr/share
	mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
	"$work/tandem" man "$share/man/man1"
	gzip -9n "$share"/man/man1/*
	"$work/tandem" completion bash > "$share/bash-completion/completions/tandem"
	"$work/tandem" completion zsh > "$share/zsh/vendor-completions/_tandem"
	"$work/tandem" completion fish > "$share/fish/vendor_completions.d/tandem.fish"
}

# In KiB, as dpkg-gencontrol counts: what du says of a folder is its file system's matter.
installed_size() {
	find "$tree" -path "$tree/DEBIAN" -prune -o -printf '%y %s\n' |
		awk '{ kib += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print kib }'
}

control() {
	cat <<- END
		Package: tandem
		Version: $(debian_version)
		Architecture: $1
		Maintainer: Tandem maintainers <maintainers@users.noreply.github.com>
		Installed-Size: $(installed_size)
		Recommends: ca-certificates
		Section: net
		Priority: optional
		Homepage: https://github.com/tandem-lb/tandem
		Description: high-availability load balancer in one binary
		 Two or more balancers share a virtual IP and all carry the proxy; web apps
		 join by gossip and are served at once. It does the work of keepalived,
		 HAProxy, Serf, a config templater and a process supervisor.
		 .
		 This package starts nothing: a balancer runs once you have written
		 /etc/tandem/tandem.toml and enabled tandem.service; beside a web app that is
		 /etc/tandem/agent.toml and tandem-agent.service.
	END
}

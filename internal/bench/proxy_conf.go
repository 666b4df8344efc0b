package main

import (
	"fmt"
	"net/netip"
)

// The proxies' host, which has generator and backend too: they speak over its
// loopback device.
var (
	proxyHost = netip.MustParsePrefix("10.9.0.1/24")
	proxyVIP  = netip.MustParseAddr("10.9.0.42") // Tandem has one; nobody asks it here
)

const (
	proxyPort   = 8080
	backendPort = 9000
	nginxPath   = "/usr/sbin/nginx"
)

func proxyAddr(port int) string { return fmt.Sprintf("%v:%d", proxyHost.Addr(), port) }

// All three do the same work: they listen on one port, add X-Forwarded-For,
// keep connections on both sides, use one thread, count, check the backend once
// a second where they can (nginx cannot), and log nothing.

// tandemProxyArgs are the flags of `tandem lb`; the number of loops follows the
// processors that it may use.
func tandemProxyArgs() []string {
	return []string{
		"lb", "--vip", proxyVIP.String(), "--listen", fmt.Sprint(":", proxyPort), "--pool", "web",
		"--backend", proxyAddr(backendPort), "--check", "/", "--log-level", "warn",
	}
}

// haproxyProxyConf takes what helps it: reuse of connections by other clients,
// and splicing where bodies are large.
func haproxyProxyConf(dir string, s scenario) string {
	splice, bind := "", ""
	if s.tls {
		bind = " ssl crt " + certificatePath(dir) + " ciphersuites TLS_AES_128_GCM_SHA256"
		if s.h2 > 0 {
			bind += " alpn h2,http/1.1"
		}
	} else if s.mode == loadBig {
		splice = "\toption splice-response\n"
	}
	return fmt.Sprintf(`global
	nbthread 1
	no strict-limits
	maxconn 10200
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	timeout http-keep-alive 60s
	option forwardfor
	http-reuse always
%sfrontend site
	bind :%d%s
	default_backend web
backend web
	option httpchk GET /
	server s1 %s check inter 1s
`, splice, proxyPort, bind, proxyAddr(backendPort))
}

// nginxProxyConf is a worker with a pool of kept connections. Bodies stay in
// memory: without the first of these settings they would go to the disk.
func nginxProxyConf(dir string, s scenario) string {
	tls := ""
	if s.tls {
		tls = fmt.Sprintf(" ssl;\n\t\tssl_certificate %[1]s;\n\t\tssl_certificate_key %[1]s;\n\t\tssl_protocols TLSv1.2 TLSv1.3;\n\t\tssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256", certificatePath(dir))
		if s.h2 > 0 {
			tls = " http2" + tls
		}
	}
	return fmt.Sprintf(`daemon off;
user root;
pid %[1]s/nginx.pid;
error_log stderr error;
worker_processes 1;
worker_rlimit_nofile 20000;
events { worker_connections 20000; multi_accept on; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	proxy_max_temp_file_size 0;
	proxy_buffers 16 32k;
	keepalive_timeout 60s;
	keepalive_requests 1000000000;
	upstream web {
		server %[2]s;
		keepalive 600;
		keepalive_requests 1000000000;
	}
	server {
		listen %[3]d%[4]s;
		location / {
			proxy_pass http://web;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $remote_addr;
		}
	}
}
`, dir, proxyAddr(backendPort), proxyPort, tls)
}

// tandemTLSConf is the same work as a file, since flags know no certificates.
func tandemTLSConf(dir string) string {
	return fmt.Sprintf(`[[vip]]
address = %q

[[frontend]]
listen = ":%d"
pool = "web"

[frontend.tls]
certificates = [%q]

[pool.web]
backends = [%q]
check = { http = "/" }

[log]
level = "warn"
`, proxyVIP, proxyPort, certificatePath(dir), proxyAddr(backendPort))
}

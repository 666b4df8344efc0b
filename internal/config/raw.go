package config

// The raw types are what a file says, before anything is checked that needs
// more than one value. Their tags are the schema: the key, its default, its
// bounds (inclusive), and an example of what must be given. reference.toml tells the
// same to the reader; a test compares the two.
//
// A key that takes effect by a reload is tagged reload:"live", or else the table that it is
// in: somebody must see to that. All others are refused by name then. A table that is
// tagged may be added and removed, too.

type rawConfig struct {
	Node     map[string]*rawNode  `toml:"node" max:"32"`
	Cluster  rawCluster           `toml:"cluster"`
	VIP      []*rawVIP            `toml:"vip" max:"64"`
	Frontend []*rawFrontend       `toml:"frontend" max:"256" reload:"live"`
	Pool     map[string]*rawPool  `toml:"pool" max:"1000" reload:"live"`
	Track    map[string]*rawTrack `toml:"track" max:"32" reload:"live"`
	Hook     []*rawHook           `toml:"hook" max:"32" reload:"live"`
	Template []*rawTemplate       `toml:"template" max:"32" reload:"live"`
	Access   rawAccess            `toml:"access_log" reload:"live"`
	Control  rawControl           `toml:"control"`
	Proxy    rawProxy             `toml:"proxy"`
	Log      rawLogging           `toml:"log" reload:"live"`
}

type rawNode struct {
	table
	Interface text   `toml:"interface"`
	Priority  number `toml:"priority" default:"100" min:"1" max:"254" reload:"live"`
	Advertise text   `toml:"advertise"`
}

type rawCluster struct {
	table
	Join            list   `toml:"join" max:"64" reload:"live"`
	Gossip          text   `toml:"gossip" default:":7946"`
	GossipKeyFile   text   `toml:"gossip_key_file" reload:"live"`
	BalancerKeyFile text   `toml:"balancer_key_file" reload:"live"`
	AdvertPort      number `toml:"advert_port" default:"7947" min:"1" max:"65535"`
	AdvertInterval  span   `toml:"advert_interval" default:"20ms" min:"5ms" max:"10s"`
	Policy          text   `toml:"policy" default:"availability" oneof:"availability,safety"`
}

type rawVIP struct {
	table
	Address   text   `toml:"address" need:"192.168.42.42"`
	Interface text   `toml:"interface"`
	Group     text   `toml:"group" default:"default"`
	Preempt   toggle `toml:"preempt" default:"false" reload:"live"`

	Claim       text `toml:"claim" default:"announce" oneof:"announce,hook"`
	Hook        list `toml:"hook" max:"32"`
	HookTimeout span `toml:"hook_timeout" default:"10s" min:"100ms" max:"45s"`
}

type rawFrontend struct {
	table
	Name           text   `toml:"name"`
	Listen         text   `toml:"listen" need:":80"`
	Pool           text   `toml:"pool"`
	HeaderTimeout  span   `toml:"header_timeout" default:"10s" min:"100ms" max:"10m"`
	IdleTimeout    span   `toml:"idle_timeout" default:"60s" min:"100ms" max:"24h"`
	ClientTimeout  span   `toml:"client_timeout" default:"30s" min:"100ms" max:"24h"`
	HalfClose      span   `toml:"half_close_timeout" default:"2s" min:"10ms" max:"24h"`
	TunnelTimeout  span   `toml:"tunnel_timeout" default:"1h" min:"100ms" max:"168h"`
	MaxHeaderBytes number `toml:"max_header_bytes" default:"16384" min:"1024" max:"65535"`
	MaxBodyBytes   number `toml:"max_body_bytes" default:"0" min:"0" max:"1099511627776"`
	MinRate        number `toml:"min_rate" default:"128" min:"0" max:"1048576"`
	Forwarded      text   `toml:"forwarded" default:"x-forwarded" oneof:"x-forwarded,forwarded,both,none"`
	Trusted        list   `toml:"trusted" max:"100"`
	Via            text   `toml:"via"`

	Mode            text           `toml:"mode" default:"http" oneof:"http,tcp"`
	SNIPools        list           `toml:"sni_pools" max:"1000"`
	AcceptProxy     list           `toml:"accept_proxy" max:"100"`
	Redirect        text           `toml:"redirect" default:"none" oneof:"none,https"`
	ResponseHeaders list           `toml:"response_headers" max:"64"`
	Allow           list           `toml:"allow" max:"1000"`
	Deny            list           `toml:"deny" max:"1000"`
	MaxConn         number         `toml:"maxconn" default:"0" min:"0" max:"1000000"`
	SourceMaxConn   number         `toml:"source_maxconn" default:"0" min:"0" max:"1000000"`
	SourceRate      text           `toml:"source_rate"`
	SourcePrefix6   number         `toml:"source_prefix6" default:"64" min:"32" max:"128"`
	SourceTable     number         `toml:"source_table" default:"65536" min:"1024" max:"4194304"`
	AccessLog       toggle         `toml:"access_log" default:"true"`
	ErrorPages      list           `toml:"error_pages" max:"64"`
	TLS             rawFrontendTLS `toml:"tls"`
	HTTP2           rawHTTP2       `toml:"http2"`
	Rule            []*rawRule     `toml:"rule" max:"1000"`
}

type rawRule struct {
	table
	Name       text `toml:"name"`
	Host       list `toml:"host" max:"100"`
	Method     list `toml:"method" max:"100"`
	Path       list `toml:"path" max:"100"`
	PathPrefix list `toml:"path_prefix" max:"100"`
	PathRegex  text `toml:"path_regex"`
	Header     list `toml:"header" max:"100"`
	Source     list `toml:"source" max:"100"`
	SourceRate text `toml:"source_rate"`

	MaxBodyBytes number `toml:"max_body_bytes" default:"0" min:"0" max:"1099511627776"`

	Pool          text   `toml:"pool"`
	Redirect      text   `toml:"redirect"`
	Status        number `toml:"status" default:"0" min:"0" max:"599"`
	Body          text   `toml:"body"`
	ContentType   text   `toml:"content_type" default:"text/plain; charset=utf-8"`
	ReplacePrefix text   `toml:"replace_prefix"`
	Rewrite       text   `toml:"rewrite"`

	SetRequest     list `toml:"set_request_headers" max:"64"`
	AddRequest     list `toml:"add_request_headers" max:"64"`
	RemoveRequest  list `toml:"remove_request_headers" max:"64"`
	SetResponse    list `toml:"set_response_headers" max:"64"`
	AddResponse    list `toml:"add_response_headers" max:"64"`
	RemoveResponse list `toml:"remove_response_headers" max:"64"`
}

type rawHTTP2 struct {
	table
	Enabled      toggle `toml:"enabled" default:"true"`
	H2C          toggle `toml:"h2c" default:"false"`
	MaxStreams   number `toml:"max_concurrent_streams" default:"100" min:"1" max:"1000"`
	StreamWindow number `toml:"stream_window_bytes" default:"262144" min:"65535" max:"16777216"`
	Window       number `toml:"window_bytes" default:"1048576" min:"65535" max:"16777216"`
}

type rawFrontendTLS struct {
	table
	Certificates      list   `toml:"certificates" max:"1000"`
	MinVersion        text   `toml:"min_version" default:"1.2" oneof:"1.2,1.3"`
	Ciphers           list   `toml:"ciphers" max:"32"`
	ClientCAFile      text   `toml:"client_ca_file"`
	ClientCertificate text   `toml:"client_certificate" default:"required" oneof:"required,optional"`
	StrictSNI         toggle `toml:"strict_sni" default:"false"`
	SessionTickets    toggle `toml:"session_tickets" default:"true"`
	HandshakeTimeout  span   `toml:"handshake_timeout" default:"10s" min:"100ms" max:"10m"`
}

type rawPool struct {
	table
	Policy         text         `toml:"policy" default:"roundrobin" oneof:"roundrobin,leastconn,random,hash"`
	HashOn         text         `toml:"hash_on" default:"source"`
	HashFactor     number       `toml:"hash_balance_factor" default:"0" min:"0" max:"65535"`
	Backends       list         `toml:"backends" max:"10000"`
	ConnectTimeout span         `toml:"connect_timeout" default:"1s" min:"10ms" max:"1m"`
	ServerTimeout  span         `toml:"server_timeout" default:"30s" min:"100ms" max:"24h"`
	IdleTimeout    span         `toml:"idle_timeout" default:"4s" min:"10ms" max:"24h"`
	MaxIdle        number       `toml:"max_idle" default:"1000" min:"1" max:"10000"`
	Retries        number       `toml:"retries" default:"2" min:"0" max:"10"`
	Allow          list         `toml:"allow" max:"100"`
	AllowTags      list         `toml:"allow_tags" max:"16"`
	SpeakFor       list         `toml:"speak_for" max:"100"`
	BackupTags     list         `toml:"backup_tags" max:"16"`
	SlowStart      span         `toml:"slowstart" default:"0s" min:"0s" max:"1h"`
	MaxConn        number       `toml:"maxconn" default:"0" min:"0" max:"1000000"`
	Queue          number       `toml:"queue" default:"1000" min:"0" max:"100000"`
	QueueTimeout   span         `toml:"queue_timeout" default:"5s" min:"10ms" max:"10m"`
	PanicThreshold number       `toml:"panic_threshold" default:"0" min:"0" max:"100"`
	MinBackends    number       `toml:"min_backends" default:"0" min:"0" max:"1000"`
	MinAfter       span         `toml:"min_backends_after" default:"5s" min:"1s" max:"10m"`
	Check          rawPoolCheck `toml:"check"`
	SendProxy      text         `toml:"send_proxy" default:"none" oneof:"none,v1,v2"`
	Protocol       text         `toml:"protocol" default:"http1" oneof:"http1,h2"`

	TLS    rawPoolTLS `toml:"tls"`
	Sticky rawSticky  `toml:"sticky"`

	RetryBudget      number     `toml:"retry_budget" default:"20" min:"0" max:"100"`
	RetryBudgetFloor number     `toml:"retry_budget_floor" default:"10" min:"0" max:"10000"`
	Outlier          rawOutlier `toml:"outlier"`
}

type rawOutlier struct {
	table
	Consecutive5xx    number `toml:"consecutive_5xx" default:"0" min:"0" max:"10000"`
	ConsecutiveErrors number `toml:"consecutive_errors" default:"0" min:"0" max:"10000"`
	EjectionTime      span   `toml:"ejection_time" default:"30s" min:"100ms" max:"24h"`
	MaxEjectionTime   span   `toml:"max_ejection_time" default:"5m" min:"100ms" max:"24h"`
	MaxEjected        number `toml:"max_ejected" default:"10" min:"1" max:"100"`
}

type rawSticky struct {
	table
	Cookie   text `toml:"cookie"`
	MaxAge   span `toml:"max_age" default:"0s" min:"0s" max:"720h"`
	SameSite text `toml:"same_site" default:"lax" oneof:"lax,strict,none"`
}

type rawPoolTLS struct {
	table
	CAFile      text   `toml:"ca_file"`
	ServerName  text   `toml:"server_name"`
	MinVersion  text   `toml:"min_version" default:"1.2" oneof:"1.2,1.3"`
	Certificate text   `toml:"certificate"`
	Verify      toggle `toml:"verify" default:"true"`
}

// rawCheck holds what a check of a pool and one of an agent have in common.
type rawCheck struct {
	table
	HTTP    text   `toml:"http"`
	TCP     toggle `toml:"tcp"`
	GRPC    toggle `toml:"grpc" default:"false"`
	Service text   `toml:"service"`

	Method      text   `toml:"method" default:"GET" oneof:"GET,HEAD,OPTIONS,POST,PUT"`
	Host        text   `toml:"host"`
	Headers     list   `toml:"headers" max:"32"`
	Status      text   `toml:"status" default:"200-399"`
	Send        text   `toml:"send"`
	Expect      text   `toml:"expect"`
	ExpectRegex text   `toml:"expect_regex"`
	ExpectBytes number `toml:"expect_bytes" default:"16384" min:"1" max:"1048576"`

	Interval span   `toml:"interval" default:"1s" min:"50ms" max:"1h"`
	Timeout  span   `toml:"timeout" default:"1s" min:"10ms" max:"1m"`
	Rise     number `toml:"rise" default:"2" min:"1" max:"100"`
	Fall     number `toml:"fall" default:"3" min:"1" max:"100"`
}

// rawPoolCheck is a pool's.
type rawPoolCheck struct {
	rawCheck
	Port       number `toml:"port" default:"0" min:"0" max:"65535"`
	Protocol   text   `toml:"protocol" oneof:"http1,h2"`
	TLS        toggle `toml:"tls"`
	ServerName text   `toml:"server_name"`
	CAFile     text   `toml:"ca_file"`
	Jitter     number `toml:"jitter" default:"10" min:"0" max:"100"`
}

type rawTrack struct {
	table
	Command  list   `toml:"command" max:"32" need:"/path/of/program"`
	Interval span   `toml:"interval" default:"1s" min:"100ms" max:"1h"`
	Timeout  span   `toml:"timeout" default:"1s" min:"10ms" max:"1m"`
	Rise     number `toml:"rise" default:"2" min:"1" max:"100"`
	Fall     number `toml:"fall" default:"3" min:"1" max:"100"`
	Weight   number `toml:"weight" default:"64" min:"1" max:"255"`
}

type rawHook struct {
	table
	Events      list   `toml:"events" need:"member-join"`
	Command     list   `toml:"command" need:"/usr/local/bin/handler"`
	Name        text   `toml:"name"`
	Format      text   `toml:"format" default:"json" oneof:"json,serf"`
	SerfTags    list   `toml:"serf_tags" max:"32"`
	User        text   `toml:"user" default:"tandem-hook"`
	Timeout     span   `toml:"timeout" default:"30s" min:"100ms" max:"1h"`
	Concurrency number `toml:"concurrency" default:"1" min:"1" max:"16"`
	Queue       number `toml:"queue" default:"256" min:"1" max:"4096"`
	ActiveOnly  toggle `toml:"active_only" default:"false"`
}

type rawTemplate struct {
	table
	Source     text   `toml:"source" need:"/etc/tandem/haproxy.cfg.tmpl"`
	Target     text   `toml:"target" need:"/etc/haproxy/haproxy.cfg"`
	Check      list   `toml:"check" max:"32"`
	Reload     list   `toml:"reload" max:"32"`
	User       text   `toml:"user" default:"tandem-hook"`
	Timeout    span   `toml:"timeout" default:"30s" min:"100ms" max:"1h"`
	Quiescence span   `toml:"quiescence" default:"500ms" min:"10ms" max:"1m"`
	Keep       number `toml:"keep" default:"3" min:"0" max:"100"`
}

type rawAccess struct {
	table
	File   text   `toml:"file"`
	Format text   `toml:"format" default:"json" oneof:"json,haproxy"`
	Sample number `toml:"sample" default:"1" min:"1" max:"1000000"`
}

type rawControl struct {
	table
	Socket text `toml:"socket" default:"/run/tandem/control.sock"`

	StateDir text `toml:"state_dir"`

	Status      text `toml:"status" default:":1936"`
	StatusAllow list `toml:"status_allow" max:"100"`

	StatusHosts    list `toml:"status_hosts" max:"32" reload:"live"`
	AdminTokenFile text `toml:"admin_token_file" reload:"live"`
}

type rawProxy struct {
	table
	Loops      number `toml:"loops" default:"0" min:"0" max:"64"`
	MaxConn    number `toml:"maxconn" default:"50000" min:"1" max:"10000000"`
	OrphanTime span   `toml:"orphan_time" default:"10s" min:"1s" max:"10m" reload:"live"`
	Timeout    span   `toml:"timeout" default:"1s" min:"250ms" max:"1m" reload:"live"`
	DrainTime  span   `toml:"drain_time" default:"5m" min:"1s" max:"24h" reload:"live"`
}

type rawLogging struct {
	table
	Level text `toml:"level" default:"info" oneof:"debug,info,warn,error"`
}

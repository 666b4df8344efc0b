package config

// The raw types of the agent's file; agent-reference.toml tells the same to the reader.

type rawAgent struct {
	Agent   rawSelf                `toml:"agent"`
	Cluster rawMembership          `toml:"cluster"`
	App     []*rawApp              `toml:"app" max:"16"`
	Process map[string]*rawProcess `toml:"process" max:"32"`
	Log     rawLog                 `toml:"log"`
	Syslog  rawSyslog              `toml:"syslog"`
}

type rawSelf struct {
	table
	Name      text `toml:"name"`
	Tags      list `toml:"tags" max:"16"`
	Socket    text `toml:"socket"`
	DrainTime span `toml:"drain_time" default:"20s" min:"0s" max:"24h"`
}

type rawMembership struct {
	table
	Join          list `toml:"join" max:"64"`
	Gossip        text `toml:"gossip"`
	Advertise     text `toml:"advertise"`
	GossipKeyFile text `toml:"gossip_key_file"`
	Keyring       text `toml:"keyring"`
	Snapshot      text `toml:"snapshot"`
}

type rawApp struct {
	table
	Pool    text        `toml:"pool" need:"web"`
	Port    number      `toml:"port" need:"3000" min:"1" max:"65535"`
	Addr    text        `toml:"addr"`
	Weight  number      `toml:"weight" default:"100" min:"1" max:"256"`
	Process text        `toml:"process"`
	Check   rawAppCheck `toml:"check"`
}

// rawAppCheck is an app's, which is asked at its own port.
type rawAppCheck struct {
	rawCheck
	Protocol   text   `toml:"protocol" default:"http1" oneof:"http1,h2"`
	TLS        toggle `toml:"tls"`
	ServerName text   `toml:"server_name"`
	CAFile     text   `toml:"ca_file"`
	Verify     toggle `toml:"verify" default:"true"`
}

type rawProcess struct {
	table
	Command      list     `toml:"command" need:"node" max:"1000"`
	Directory    text     `toml:"directory"`
	Env          list     `toml:"env" max:"1000"`
	After        list     `toml:"after" max:"32"`
	Restart      text     `toml:"restart" default:"always" oneof:"always,on-failure,never"`
	RestartLimit number   `toml:"restart_limit" default:"0" min:"0" max:"1000000"`
	MinBackoff   span     `toml:"min_backoff" default:"100ms" min:"10ms" max:"10s"`
	MaxBackoff   span     `toml:"max_backoff" default:"30s" min:"10s" max:"24h"`
	StopTimeout  span     `toml:"stop_timeout" default:"10s" min:"10ms" max:"24h"`
	Ready        rawReady `toml:"ready"`
}

type rawReady struct {
	table
	Port    number `toml:"port" min:"1" max:"65535"`
	HTTP    text   `toml:"http"`
	Timeout span   `toml:"timeout" default:"1s" min:"10ms" max:"1m"`
}

type rawLog struct {
	table
	Prefix       text   `toml:"prefix" default:"auto" oneof:"auto,always,never"`
	MaxLineBytes number `toml:"max_line_bytes" default:"16384" min:"256" max:"32768"`
	KeepBytes    number `toml:"keep_bytes" default:"262144" min:"4096" max:"67108864"`
	ReadByAnyone toggle `toml:"read_by_anyone" default:"false"`
}

type rawSyslog struct {
	table
	To          text   `toml:"to"`
	CAFile      text   `toml:"ca_file"`
	CertFile    text   `toml:"cert_file"`
	KeyFile     text   `toml:"key_file"`
	Facility    text   `toml:"facility" default:"user" oneof:"user,daemon,local0,local1,local2,local3,local4,local5,local6,local7"`
	BufferBytes number `toml:"buffer_bytes" default:"1048576" min:"4096" max:"67108864"`
}

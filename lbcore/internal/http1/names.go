package http1

import "bytes"

// A fieldID names the fields that mean something to this package; all others are fieldOther.
type fieldID uint8

const (
	fieldOther fieldID = iota
	fieldHost
	fieldContentLength
	fieldTransferEncoding
	fieldConnection
	fieldKeepAlive
	fieldProxyConnection
	fieldTE
	fieldTrailer
	fieldUpgrade
	fieldHTTP2Settings
	fieldProxy
	fieldExpect
	fieldDate
	fieldForwarded
	fieldForwardedFor
	fieldForwardedPort
	fieldForwardedProto
	fieldForwardedRest // any other X-Forwarded-*
	fieldIDs
)

var fieldNames = [fieldIDs]string{
	fieldHost:             "host",
	fieldContentLength:    "content-length",
	fieldTransferEncoding: "transfer-encoding",
	fieldConnection:       "connection",
	fieldKeepAlive:        "keep-alive",
	fieldProxyConnection:  "proxy-connection",
	fieldTE:               "te",
	fieldTrailer:          "trailer",
	fieldUpgrade:          "upgrade",
	fieldHTTP2Settings:    "http2-settings",
	fieldProxy:            "proxy",
	fieldExpect:           "expect",
	fieldDate:             "date",
	fieldForwarded:        "forwarded",
	fieldForwardedFor:     "x-forwarded-for",
	fieldForwardedPort:    "x-forwarded-port",
	fieldForwardedProto:   "x-forwarded-proto",
}

const forwardedPrefix = "x-forwarded-"

// A fieldSet is a set of fieldIDs.
type fieldSet uint32

func (s fieldSet) has(id fieldID) bool { return s>>id&1 != 0 }

const (
	// hopByHop never goes on (RFC 9110, 7.6.1 and 7.8). Transfer-Encoding belongs to it since we frame anew, Trailer
	// and TE since trailers are dropped.
	hopByHop fieldSet = 1<<fieldConnection | 1<<fieldKeepAlive | 1<<fieldProxyConnection | 1<<fieldTE | 1<<fieldTrailer |
		1<<fieldTransferEncoding | 1<<fieldUpgrade | 1<<fieldHTTP2Settings

	// rewritten are the fields of a request that AppendRequest writes itself, and Proxy, which
	// CGI-like backends would take for their HTTP_PROXY setting (CVE-2016-5385 and others).
	rewritten fieldSet = 1<<fieldHost | 1<<fieldContentLength | 1<<fieldExpect | 1<<fieldProxy

	// forwarded is what an untrusted client must not say of itself.
	forwarded fieldSet = 1<<fieldForwarded | 1<<fieldForwardedFor | 1<<fieldForwardedPort | 1<<fieldForwardedProto |
		1<<fieldForwardedRest

	// once may stand in one line only; onceAsked too, in requests.
	once      fieldSet = 1<<fieldContentLength | 1<<fieldTransferEncoding
	onceAsked fieldSet = 1<<fieldHost | 1<<fieldExpect

	// kept cannot be removed by naming it in Connection: what frames, routes, or is a proxy's word about the client.
	kept = forwarded | 1<<fieldHost | 1<<fieldContentLength | 1<<fieldTransferEncoding
)

// namesByLength holds the known names under their length, so that most fields meet one or two comparisons.
var namesByLength = func() (t [18][]fieldID) {
	for id, name := range fieldNames {
		if name != "" {
			t[len(name)] = append(t[len(name)], fieldID(id))
		}
	}
	return t
}()

// lookup finds a field's ID. An alias is a name with "_" in place of "-": a backend that sees fields as CGI
// variables would take it for the real one.
func lookup(name []byte) (id fieldID, alias bool) {
	if len(name) < len(namesByLength) {
		for _, known := range namesByLength[len(name)] {
			if fold[name[0]] == fieldNames[known][0] && alike(name, fieldNames[known]) {
				id = known
				break
			}
		}
	}
	if id == fieldOther && len(name) > len(forwardedPrefix) && fold[name[0]] == forwardedPrefix[0] && alike(name[:len(forwardedPrefix)], forwardedPrefix) {
		id = fieldForwardedRest
	}
	return id, id != fieldOther && bytes.IndexByte(name, '_') >= 0
}

package config

import (
	"bytes"
	"slices"
)

// changedCertificates are the keys of frontends under which other certificates are read
// than before, be it that a file holds something else.
func changedCertificates(old, new *Config) (keys []string) {
	for _, f := range new.Frontends {
		i := slices.IndexFunc(old.Frontends, func(o Frontend) bool { return o.Name == f.Name })
		if i < 0 || f.TLS == nil || old.Frontends[i].TLS == nil {
			continue
		}
		was := old.Frontends[i].TLS
		if !slices.EqualFunc(was.Certificates, f.TLS.Certificates, Certificate.equal) {
			keys = append(keys, "frontend."+f.Name+".tls.certificates")
		}
		if !bytes.Equal(was.ClientCAs, f.TLS.ClientCAs) {
			keys = append(keys, "frontend."+f.Name+".tls.client_ca_file")
		}
	}
	return keys
}

func (c Certificate) equal(o Certificate) bool {
	return bytes.Equal(c.Chain, o.Chain) && bytes.Equal(c.Key, o.Key)
}

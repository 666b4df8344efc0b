package config

import (
	"bytes"
	"slices"
)

// changedFiles are the keys of frontends, pools and templates under which other certificates, error
// pages or texts are read than before, be it that a file holds something else.
func changedFiles(old, new *Config) (keys []string) {
	for _, f := range new.Frontends {
		i := slices.IndexFunc(old.Frontends, func(o Frontend) bool { return o.Name == f.Name })
		if i >= 0 && !slices.EqualFunc(old.Frontends[i].ErrorPages, f.ErrorPages, ErrorPage.equal) {
			keys = append(keys, "frontend."+f.Name+".error_pages")
		}
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
	for _, p := range new.Pools {
		i := slices.IndexFunc(old.Pools, func(o Pool) bool { return o.Name == p.Name })
		if i < 0 || p.TLS == nil || old.Pools[i].TLS == nil {
			continue
		}
		was := old.Pools[i].TLS
		if !bytes.Equal(was.CAs, p.TLS.CAs) {
			keys = append(keys, "pool."+p.Name+".tls.ca_file")
		}
		if a, b := was.Certificate, p.TLS.Certificate; a != nil && b != nil && !a.equal(*b) {
			keys = append(keys, "pool."+p.Name+".tls.certificate")
		}
	}
	for _, t := range new.Templates {
		i := slices.IndexFunc(old.Templates, func(o Template) bool { return o.Target == t.Target })
		if i >= 0 && old.Templates[i].Sum != t.Sum {
			keys = append(keys, "template."+t.Target+".source")
		}
	}
	return keys
}

func (p ErrorPage) equal(o ErrorPage) bool {
	return p.Status == o.Status && p.Type == o.Type && bytes.Equal(p.Body, o.Body)
}

func (c Certificate) equal(o Certificate) bool {
	return bytes.Equal(c.Chain, o.Chain) && bytes.Equal(c.Key, o.Key)
}

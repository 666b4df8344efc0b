package config

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"time"
)

// Load reads, parses and checks the file at path, and the key files it names
// (relative ones beside it). The error is of type [Errors].
func Load(path string) (*Config, error) {
	data, err := readConfig(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: "cannot read the configuration: " + plain(err).Error(), Remedy: readConfigRemedy(err)}}
	}
	return Parse(path, data, func(key string) ([]byte, error) {
		if !filepath.IsAbs(key) {
			key = filepath.Join(filepath.Dir(path), key)
		}
		return readKeyFile(key)
	})
}

// readConfig reads at most one byte more than a configuration may have.
func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func readConfigRemedy(err error) string {
	if os.IsNotExist(err) {
		return "name the file with --config, or do without one: tandem lb --vip ADDRESS --pool NAME"
	}
	return ""
}

// Parse checks a configuration held in memory. name stands in errors and in
// [Config.Path]; readFile reads the key files it names. The error is of type
// [Errors].
func Parse(name string, data []byte, readFile func(string) ([]byte, error)) (*Config, error) {
	root, src, errs := readTree(name, data)
	c := &checker{binder: binder{root: reflect.TypeFor[rawConfig](), errs: errs}, readFile: readFile, now: time.Now}
	if root == nil {
		return nil, c.sorted()
	}
	cfg := c.config(name, root)
	c.validate(src)
	if err := c.sorted(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// config binds and checks a whole tree. What it returns is worth something
// only if nothing was added to c.errs.
func (c *checker) config(path string, root *node) *Config {
	var raw rawConfig
	c.table(root, reflect.ValueOf(&raw).Elem(), "")
	cfg := c.check(path, &raw)
	cfg.settings = settingsOf(&raw)
	return cfg
}

package config

import (
	"fmt"
	"strings"
	"testing"
)

func accessConfig(t *testing.T, frontend, top string, page string) (*Config, error) {
	t.Helper()
	text := "[[vip]]\naddress = \"192.168.42.42\"\n[[frontend]]\nname = \"http\"\nlisten = \":80\"\npool = \"web\"\n" + frontend + "\n[pool.web]\n" + top
	return Parse("t.toml", []byte(text), func(name string) ([]byte, error) {
		if name == "none.html" {
			return nil, fmt.Errorf("no such file")
		}
		return []byte(page), errTooOpen
	})
}

func TestTheAccessLogAndErrorPagesAreRead(t *testing.T) {
	cfg, err := accessConfig(t, `error_pages = ["503=a.html", "429=b.json"]`, "[access_log]\nfile = \"stdout\"\nformat = \"haproxy\"", "sorry")
	if err != nil {
		t.Fatal(err)
	}
	if f := cfg.Frontends[0]; cfg.AccessLog != (AccessLog{"stdout", "haproxy", 1}) || !f.AccessLog || len(f.ErrorPages) != 2 || f.ErrorPages[1].Type != "application/json" || string(f.ErrorPages[0].Body) != "sorry" {
		t.Errorf("%+v %+v", cfg.AccessLog, cfg.Frontends[0])
	}
	other, err := accessConfig(t, `error_pages = ["503=a.html", "429=b.json"]`, "[access_log]\nfile = \"stdout\"\nformat = \"haproxy\"", "very sorry")
	if err != nil {
		t.Fatal(err)
	}
	if changes := Diff(cfg, other); len(changes) != 1 || changes[0].String() != "~ frontend.http.error_pages: the file holds something else" || !changes[0].Live {
		t.Errorf("%v", changes)
	}
}

func TestAccessLogsAndErrorPagesThatAreNoGood(t *testing.T) {
	for _, tc := range []struct{ frontend, top, page, want string }{
		{`error_pages = ["503"]`, "", "x", "is not a status from 400 to 599 and a file"},
		{`error_pages = ["200=a.html"]`, "", "x", "is not a status from 400 to 599 and a file"},
		{`error_pages = ["503=a.php"]`, "", "x", "end its name in .html"},
		{`error_pages = ["503=a.html", "503=b.html"]`, "", "x", "the error page of 503"},
		{`error_pages = ["503=none.html"]`, "", "x", "cannot read none.html"},
		{`error_pages = ["503=a.html"]`, "", "", "is empty"},
		{`error_pages = ["503=a.html"]`, "", strings.Repeat("x", maxErrorPage+1), "larger than 32768 bytes"},
		{"", "[access_log]\nfile = \"access.log\"", "", "is not absolute"},
		{"", "[access_log]\nsample = 10", "", "sample is about an access log, and there is none"},
	} {
		if _, err := accessConfig(t, tc.frontend, tc.top, tc.page); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/testneed"
)

var shots = flag.String("shots", "", "directory for pictures of the status page; half a minute more")

// pageOf is the status page of a balancer, as the client reaches it.
func pageOf(lb string) string {
	return fmt.Sprintf("http://192.168.42.%d:1936", numbers[lb])
}

// fetch asks for url from the client.
func (s *site) fetch(url string) string {
	s.t.Helper()
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		return s.client.Dial(ctx, network, netip.MustParseAddrPort(addr))
	}
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	resp, err := c.Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v\n%s", url, resp.Status, err, body)
	}
	return string(body)
}

// browser is a page in a browser, and what went wrong in it.
type browser struct {
	ctx context.Context
	t   *testing.T

	mu       sync.Mutex // protects what follows
	wrong    []string
	requests []string
}

// newBrowser opens url in Debian's chromium, on the client.
func (s *site) newBrowser(url string) *browser {
	t := s.t
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		testneed.Missing(t, "chromium: apt-get install chromium")
	}
	// Its own sandbox needs rights that a test may lack; it sees nothing but our page.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.ModifyCmdFunc(s.onTheClient))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 6*patience)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx, t: t}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	called(b, network.Enable, network.EnableParams{})
	called(b, log.Enable, cdp.Empty{})
	b.run(chromedp.Navigate(url))
	return b
}

// onTheClient has a command run in the client's network.
func (s *site) onTheClient(cmd *exec.Cmd) {
	there, err := s.client.Start(lab.Command{Path: "/bin/sleep", Args: []string{"600"}}) // ends with the lab
	if err != nil {
		s.t.Fatal(err)
	}
	enter, err := exec.LookPath("nsenter")
	if err != nil {
		testneed.Missing(s.t, "nsenter: apt-get install util-linux")
	}
	cmd.Args = append([]string{enter, fmt.Sprintf("--net=/proc/%d/ns/net", there.Pid()), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = enter
}

// heard takes in what the browser reports.
func (b *browser) heard(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, ev.ExceptionDetails.Text)
		if o := ev.ExceptionDetails.Exception; o != nil {
			b.wrong = append(b.wrong, o.Description)
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == "error" {
			b.wrong = append(b.wrong, ev.Entry.Text+" "+ev.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, ev.Request.URL)
	}
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("browser: %v; it said: %q", err, b.complaints())
	}
}

// called gives the browser a command of its protocol.
func called[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("browser: %v; it said: %q", err, b.complaints())
	}
	return r
}

func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.wrong)
}

// says returns what a script in the page comes to, a text.
func (b *browser) says(script string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		b.t.Fatalf("browser: %v; it said: %q", err, b.complaints())
	}
	return text
}

// reads returns the text that stands in the page where selector says.
func (b *browser) reads(selector string) string {
	b.t.Helper()
	return b.says(fmt.Sprintf("[...document.querySelectorAll(%q)].map((e) => e.textContent).join('|')", selector))
}

func (b *browser) until(s *site, selector, want string) {
	s.t.Helper()
	s.until(fmt.Sprintf("the page shows %q", want), func() (bool, string) {
		got := b.reads(selector)
		return strings.Contains(got, want), got
	})
}

// picture writes what the page looks like on a screen of this size; whole: all of the page.
func (b *browser) picture(name string, width, height int64, scheme string, whole bool) {
	b.t.Helper()
	called(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	called(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if whole {
		_, tall := b.size()
		called(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: tall, DeviceScaleFactor: 1, Mobile: width < 600})
	}
	b.run(chromedp.Sleep(1500 * time.Millisecond)) // until the next event has been drawn, at this size
	png := called(b, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// size is that of the whole page.
func (b *browser) size() (width, height int64) {
	b.t.Helper()
	text := b.says("`${document.documentElement.scrollWidth} ${document.documentElement.scrollHeight}`")
	if _, err := fmt.Sscan(text, &width, &height); err != nil {
		b.t.Fatal(err)
	}
	return width, height
}

// The page of the backup, in a browser, sees the active die and the other take over, without
// being loaded again; metrics and 'tandem status' of the same node tell the same.
func TestTheStatusPageOfABackupShowsAFailoverAsItHappens(t *testing.T) {
	s, active := newPair(t)
	backup := other(active)
	url := pageOf(backup)
	for lb, state := range map[string]string{active: "active", backup: "backup"} {
		s.until("metrics tell who is active", func() (bool, string) {
			text := s.fetch(pageOf(lb) + "/metrics")
			return strings.Contains(text, fmt.Sprintf("tandem_vip_state{group=\"default\",state=%q} 1\n", state)) &&
				strings.Contains(text, `tandem_pool_backends{pool="web",state="up"} 2`+"\n"), text
		})
	}

	b := s.newBrowser(url)
	b.until(s, "#vips .who", active+" is active")
	b.until(s, "#vips .node", backup)
	b.until(s, "#link", "live")
	b.until(s, "#pools td", "web1")
	b.until(s, "#timeline li", "backup → active")
	failover := func() {
		b.says("window.mark = 'kept'") // which a document that is loaded again has lost
		s.power(active, false)
		b.until(s, "#vips .who", backup+" is active")
		b.until(s, "#vips .why", active+" was active and fell silent")
		b.until(s, "#vips .node.unknown", "unknown, was active")
		if b.says("String(window.mark)") != "kept" {
			t.Error("the page was loaded again")
		}
	}
	if *shots == "" {
		failover()
	} else {
		s.load(func() {
			time.Sleep(25 * time.Second)
			failover()
			time.Sleep(8 * time.Second)
			b.picture("status-light", 1200, 1060, "light", false)
			b.picture("status-dark", 1200, 1060, "dark", false)
			b.picture("status-phone", 390, 1300, "light", false)
			b.picture("whole-phone", 390, 844, "dark", true)
		})
	}
	called(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true})
	if width, _ := b.size(); width > 390 {
		t.Errorf("on a phone of 390 pixels the page is %d wide", width)
	}
	s.tellsOfTheDead(backup, active)

	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wrong) > 0 {
		t.Errorf("the browser complains: %q", b.wrong)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, url+"/") {
			t.Errorf("the page asks elsewhere: %s", r)
		}
	}
}

// tellsOfTheDead looks at what 'tandem status' of lb says of a node that has died.
func (s *site) tellsOfTheDead(lb, dead string) {
	s.t.Helper()
	out, err := s.tandem(lb, "status", "--cluster", "--json")
	if err != nil {
		s.t.Fatal(err)
	}
	var c struct {
		Node  string
		Nodes []struct {
			Node   string
			Age    time.Duration
			Status *status
		}
	}
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		s.t.Fatal(err)
	}
	for _, n := range c.Nodes {
		if n.Node == dead && (n.Status == nil || n.Status.Groups[0].State != "active" || n.Age < time.Second) {
			s.t.Errorf("of %s it says %+v", dead, n)
		}
	}
	if c.Node != lb || len(c.Nodes) != 2 {
		s.t.Errorf("%s answers for %d balancers", c.Node, len(c.Nodes))
	}
	text, err := s.tandem(lb, "top")
	if err != nil || !strings.Contains(text, "unknown (was active)") || !strings.Contains(text, "POOL, BACKEND") {
		s.t.Errorf("tandem top: %v\n%s", err, text)
	}
}

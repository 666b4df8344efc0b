package delivery

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// composeFor finds Compose v2, or docker-compose 1.29.
func composeFor(t *testing.T) string {
	t.Helper()
	need(t, "docker", "docker.io")
	if _, err := command("", nil, "docker", "version"); err != nil {
		testneed.Missing(t, "Docker Engine, running, for this user: %v", err)
	}
	for _, c := range []string{"docker compose", "docker-compose"} {
		words := append(strings.Fields(c), "version")
		if _, err := command("", nil, words[0], words[1:]...); err == nil {
			return c
		}
	}
	testneed.Missing(t, "Compose: apt-get install docker-compose")
	return ""
}

// failoverRow is a line of the table that the script prints.
var failoverRow = regexp.MustCompile(`(?m)^(stop|kill|pause|disconnect) +(lb\d) → (lb\d) +(\d+) +(\d+) of (\d+) *$`)

// The script runs against the site of the compose file, as the documents say it is made.
func TestTheFailoverDemoRunsOnDocker(t *testing.T) {
	compose := composeFor(t)
	r := theRelease(t)
	tree, name := t.TempDir(), fmt.Sprintf("tandem-delivery-%s", os.Getenv(innerVar))
	if err := os.CopyFS(filepath.Join(tree, "deploy"), os.DirFS("../../deploy")); err != nil {
		t.Fatal(err)
	}
	run(t, "", nil, "cp", r.binary, filepath.Join(tree, "deploy/docker/tandem"))
	env := []string{"COMPOSE=" + compose, "COMPOSE_PROJECT_NAME=" + name, "TANDEM_IMAGE=" + name, "TANDEM_APP_IMAGE=" + name + "-app"}
	sh := func(script string) string { t.Helper(); return run(t, tree, env, "sh", "-c", script) }
	t.Cleanup(func() {
		sh("$COMPOSE -f deploy/docker/compose.yaml down -t 1 && docker rmi -f $TANDEM_IMAGE $TANDEM_APP_IMAGE && rm -rf deploy/docker/keys deploy/docker/run")
	})
	sh("docker build -q -t $TANDEM_IMAGE deploy/docker")
	sh(`docker run --rm -v "$PWD/deploy/docker/keys:/keys" $TANDEM_IMAGE keygen /keys/gossip.key /keys/balancer.key`)
	sh("$COMPOSE -f deploy/docker/compose.yaml up -d --scale web=2 2>&1")

	out := sh("deploy/demo/failover.sh docker stop kill")
	t.Log("\n" + out)
	rows := failoverRow.FindAllStringSubmatch(out, -1)
	if len(rows) != 2 {
		t.Fatalf("it has printed %d rows, want stop and kill", len(rows))
	}
	for _, row := range rows {
		if row[2] == row[3] || row[6] == "0" {
			t.Errorf("nothing has moved, or nobody has asked: %q", row[0])
		}
	}
	if rows[0][5] != "0" {
		t.Errorf("a stop has cost requests: %q", rows[0][0])
	}
	for _, step := range []string{"stop", "kill"} {
		logs, err := filepath.Glob(filepath.Join(tree, "logs", step, name+"?*.log"))
		if err != nil || len(logs) != 4 {
			t.Errorf("%s: logs of %q, want those of four containers (%v)", step, logs, err)
		}
		for file, want := range map[string]string{"docker-ps": name, "members": "lb1", "backends": "172.30.42.", "haproxy.cfg": "server "} {
			data, err := os.ReadFile(filepath.Join(tree, "logs", step, file))
			if err != nil || !strings.Contains(string(data), want) {
				t.Errorf("logs/%s/%s has no %q (%v):\n%s", step, file, want, err, data)
			}
		}
	}
}

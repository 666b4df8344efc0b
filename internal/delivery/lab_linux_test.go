package delivery

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/testneed"
)

const labPage = "deploy/docs/lab.md"

// labDesk is a bare system with Docker's client, docker-compose 1.29 of Debian, and a clone in
// a folder that this machine has under the same name: its Docker Engine is the one that is
// spoken to, and keys and sockets are folders of the host to it.
func labDesk(t *testing.T) (d *desk, folder string) {
	t.Helper()
	need(t, "docker", "docker.io")
	if _, err := command("", nil, "docker", "version"); err != nil {
		testneed.Missing(t, "Docker Engine, running, for this user: %v", err)
	}
	labNetworkIsFree(t)
	client, err := exec.LookPath("docker")
	if err == nil {
		client, err = filepath.EvalSymlinks(client)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tandem-lab-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	folder = filepath.Join(dir, "tandem")
	clone(t, folder)
	d = newDesk(t, "desk", "/run/docker.sock", client, dir)
	d.env = append(d.env, "COMPOSE=docker-compose", "COMPOSE_PROJECT_NAME="+filepath.Base(dir))
	return d, folder
}

// labNetworkIsFree fails the test when Docker has the lab's network already: one site is up at a time.
func labNetworkIsFree(t *testing.T) {
	t.Helper()
	// Of deploy/docker/compose.yaml.
	const subnet = "172.30.42.0/24"
	// It complains of a network that has just gone, and says what the others are.
	taken, _ := command("", nil, "sh", "-c", `docker network inspect -f '{{.Name}} {{range .IPAM.Config}}{{.Subnet}} {{end}}' $(docker network ls -q)`)
	for line := range strings.Lines(taken) {
		if name, subnets, _ := strings.Cut(strings.TrimSpace(line), " "); slices.Contains(strings.Fields(subnets), subnet) {
			t.Fatalf("Docker's network %s has %s already: another site of the lab is up (by hand, or a run of internal/bench docker); take it down first, or wait for its end", name, subnet)
		}
	}
}

// keepImages gives names of images that this test makes back to whom they were before.
func keepImages(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		before, _ := command("", nil, "docker", "image", "inspect", "-f", "{{.Id}}", name)
		t.Cleanup(func() {
			run(t, "", nil, "docker", "rmi", "-f", name)
			if before = strings.TrimSpace(before); before != "" {
				run(t, "", nil, "docker", "tag", before, name)
			}
		})
	}
}

// The lab's page is done as it stands there; then the demo shows what faults cost that site. Its
// client waits for a second at most, and a stop may cost nothing: so no other test runs beside it.
func TestTheDockerLabIsWordForWord(t *testing.T) {
	asked(t)
	d, folder := labDesk(t)
	keepImages(t, "tandem-app", "tandem")
	page := labCommands(t)
	do := func(line string) (string, error) {
		return d.try(folder, strings.ReplaceAll(line, "docker compose ", "docker-compose "))
	}
	t.Cleanup(func() {
		if _, err := do("docker-compose -f deploy/docker/compose.yaml down -t 1 2>&1"); err != nil {
			t.Error(err)
		}
	})
	for _, line := range page {
		if strings.HasPrefix(line, "tandem watch ") { // it has nothing to do while enough apps run
			line = "timeout 3 " + line + " || test $? = 124"
		}
		deadline := time.Now().Add(patience)
		out, err := do(line)
		for err != nil && strings.HasPrefix(line, "curl ") && time.Now().Before(deadline) { // who types has given it a second
			out, err = do(line)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", labPage, err, out)
		}
	}
	t.Logf("%6v  in all", d.took.Round(10*time.Millisecond))

	out, err := do("deploy/demo/failover.sh docker stop kill")
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out)
	failoverShown(t, out)
	for _, step := range []string{"stop", "kill"} {
		logs, err := filepath.Glob(filepath.Join(folder, "logs", step, filepath.Base(filepath.Dir(folder))+"?*.log"))
		if err != nil || len(logs) != 6 {
			t.Errorf("%s: logs of %q, want those of six containers (%v)", step, logs, err)
		}
		for file, want := range map[string]string{"docker-ps": "tandem-app", "members": "lb1", "backends": "172.30.42.", "haproxy.cfg": "server "} {
			data, err := os.ReadFile(filepath.Join(folder, "logs", step, file))
			if err != nil || !strings.Contains(string(data), want) {
				t.Errorf("logs/%s/%s has no %q (%v):\n%s", step, file, want, err, data)
			}
		}
	}
}

// labCommands are the page's lines in their order, but that the site is set up first.
func labCommands(t *testing.T) []string {
	t.Helper()
	lines := commands(t, labPage, "Set up")
	for _, heading := range []string{
		"M2: what has to be done to add a web app?", "Task 1: a process supervisor", "Task 2: membership",
		"Task 3: react to membership changes", "Task 4: a template engine", "And the balancer itself",
	} {
		for _, line := range commands(t, labPage, heading) {
			switch {
			case strings.HasPrefix(line, "COPY "):
				if app, err := os.ReadFile("../../deploy/docker/Dockerfile.app"); err != nil || !strings.Contains(string(app), line) {
					t.Errorf("Dockerfile.app has no %q (%v)", line, err)
				}
			case strings.HasPrefix(line, "tandem agent "):
				if !slices.Contains(commands(t, "README.md", "Run it"), line) {
					t.Errorf("%q is not what the README says, and so not tried", line)
				}
			default:
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// failoverRow is a line of the table that deploy/demo/failover.sh prints.
var failoverRow = regexp.MustCompile(`(?m)^(stop|kill|pause|disconnect) +(lb\d) → (lb\d) +(\d+) +(\d+) of (\d+) *$`)

// failoverShown looks at the table of a stop and a kill.
func failoverShown(t *testing.T, out string) {
	t.Helper()
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
}

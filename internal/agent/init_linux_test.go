package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/agent"
	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/testneed"
)

// agentEnv makes the test binary an agent of its own: "init" in a new pid namespace, or "plain".
const agentEnv = "TANDEM_AGENT_TEST_AGENT"

// agentMain runs an agent until it ends, with the rest of the command line as its command.
func agentMain(how string) int {
	if how == "init" {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err == nil {
			err = syscall.Mount("proc", "/proc", "proc", 0, "")
			if err != nil {
				fmt.Println("no proc:", err)
				return 0
			}
		}
	}
	signals := make(chan os.Signal, 1)
	if how == "init" {
		go func() {
			fmt.Println(awaitReaped())
			signals <- syscall.SIGTERM
		}()
	}
	cfg, err := config.LoadAgent("", config.AgentFlags{
		Name: "s1", Pools: []string{"web"}, Ports: []string{os.Getenv("PORT")}, Gossip: "127.0.0.1:0", Command: os.Args[1:],
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if how == "init" { // and one beside it, which must not be taken for an orphan either
		cfg.Processes = append(cfg.Processes, config.Process{
			Name: "beside", Command: []string{"/bin/sh", "-c", "exit 5"}, Restart: config.RestartOnFailure, Limit: 20,
			MinBackoff: 20 * time.Millisecond, MaxBackoff: 20 * time.Second,
		})
	}
	code, err := agent.Run(context.Background(), agent.Config{Agent: *cfg}, signals)
	if err != nil {
		fmt.Println(err)
	}
	return code
}

// awaitReaped waits until orphans have come to process 1 and all are reaped.
func awaitReaped() string {
	deadline := time.Now().Add(15 * time.Second)
	for ; time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile("/tmp/tandem-agent-orphans-" + os.Getenv("PORT"))
		orphans := strings.Fields(string(b))
		gone := 0
		for _, pid := range orphans {
			if _, err := os.Stat("/proc/" + pid); err != nil {
				gone++
			}
		}
		if len(orphans) == 5 && gone == 5 {
			return "all orphans are reaped"
		}
	}
	return "orphans are left"
}

func TestAsProcess1TheAgentReapsOrphansAndStillKnowsItsApp(t *testing.T) {
	port := strconv.Itoa(int(testneed.FreePort(t)))
	file := "/tmp/tandem-agent-orphans-" + port
	t.Cleanup(func() { os.Remove(file) })
	orphans := `for i in 1 2 3 4 5; do sh -c 'sleep 0.1 & echo $! >> ` + file + `'; done; trap 'exit 9' TERM; while :; do sleep 0.05; done`
	cmd := exec.Command(os.Args[0], "/bin/sh", "-c", orphans)
	cmd.Env = append(os.Environ(), agentEnv+"=init", "PORT="+port)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if cmd.ProcessState == nil || strings.Contains(out.String(), "no proc:") {
		testneed.Missing(t, "a user namespace with its own /proc (%v %s): sysctl -w user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0", err, out.String())
	}
	if !strings.Contains(out.String(), "all orphans are reaped") {
		t.Errorf("output:\n%s", out.String())
	}
	if known, unknown := strings.Count(out.String(), "process=beside code=5 "), strings.Count(out.String(), "process=beside code="); known == 0 || known != unknown {
		t.Errorf("of %d ends of the process beside, the code of %d is known:\n%s", unknown, known, out.String())
	}
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("exit code %d, want the app's 9\n%s", code, out.String())
	}
}

func TestTheAppDiesWithItsAgent(t *testing.T) {
	port := testneed.FreePort(t)
	cmd := exec.Command(os.Args[0], "/usr/bin/env", "-u", agentEnv, appEnv+"=polite", os.Args[0])
	cmd.Env = append(os.Environ(), agentEnv+"=plain", "PORT="+strconv.Itoa(int(port)))
	f := &fixture{t: t, port: port, out: &syncBuffer{}}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = f.out, f.out, time.Second // an app that lives on has them, too
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.await("the app serves", func() bool { return f.get("/pid") != "" })
	cmd.Process.Kill()
	_ = cmd.Wait()
	f.await("the app is gone", func() bool { return f.get("/pid") == "" })
}

func TestOutputIsPassedOnUnchanged(t *testing.T) {
	f := start(t, "", func(_ *fixture, cfg *agent.Config) {
		cfg.Processes = []config.Process{{Name: "app", StopTimeout: time.Hour}}
		cfg.Processes[0].Command = []string{"/bin/sh", "-c", `printf 'one\r\ntwo \033[1m'; printf 'three\n' >&2; sleep 1000`}
	})
	f.await("all of it", func() bool {
		out := f.out.String()
		return strings.Contains(out, "one\r\ntwo \x1b[1m") && strings.Contains(out, "three\n")
	})
	f.signals <- syscall.SIGTERM
	f.exit(0)
}

func TestChildrenOfTheAppDoNotOutliveIt(t *testing.T) {
	// A shell without exec, as "npm start" is: the server itself is its child, and stubborn.
	f := start(t, "", func(f *fixture, cfg *agent.Config) {
		cfg.Processes = []config.Process{{Name: "app", StopTimeout: 100 * time.Millisecond}}
		cfg.Processes[0].Command = []string{"/bin/sh", "-c", fmt.Sprintf("%s=stubborn PORT=%d %s & wait", appEnv, f.port, os.Args[0])}
		cfg.Apps[0].Process = "app"
	})
	f.await("the app is announced", f.announced)
	f.signals <- syscall.SIGTERM
	f.exit(0)
	if f.get("/pid") != "" {
		t.Error("the server outlived its shell")
	}
}

func TestSeveralAgentsFitOnOneHost(t *testing.T) {
	code := make(chan int, 2)
	signals := []chan os.Signal{make(chan os.Signal, 1), make(chan os.Signal, 1)}
	var out syncBuffer
	for i := range signals {
		go func() {
			cfg, err := config.LoadAgent("", config.AgentFlags{Pools: []string{"web"}, Ports: []string{strconv.Itoa(int(testneed.FreePort(t)))}, Advertise: "127.0.0.1"})
			if err != nil {
				t.Error(err)
			}
			c, err := agent.Run(context.Background(), agent.Config{Agent: *cfg, Log: logTo(&out)}, signals[i])
			if err != nil {
				t.Error(err)
			}
			code <- c
		}()
	}
	f := &fixture{t: t}
	f.await("both listen", func() bool { return strings.Count(out.String(), "gossip listens") == 2 })
	for i := range signals {
		signals[i] <- syscall.SIGTERM
		<-code
	}
}

package lab_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
	"golang.org/x/sys/unix"
)

const talkLines = 20000

// runRole is what the test binary does as a program of its own.
func runRole(role string) int {
	switch role {
	case "describe":
		describe()
	case "sleep":
		select {}
	case "echo":
		fmt.Print(os.Args[1])
	case "talk":
		for range talkLines {
			os.Stdout.WriteString("out\n")
			os.Stderr.WriteString("err\n")
		}
		return 3
	case "leave":
		leave("left behind", os.Args[1])
	case "left behind":
		for {
			if _, err := os.Stat(os.Args[1]); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		fmt.Println("later")
	case "leave a talker":
		leave("talker")
	case "talker":
		for {
			fmt.Println("and another thing")
		}
	case "stamp":
		stampForEver(os.Args[1], os.Args[2], 2)
	case "stamp child":
		stampForEver(os.Args[1], os.Args[2], 1)
	case "stamp grandchild":
		stampForEver(os.Args[1], os.Args[2], 0)
	case "preflight":
		printPreflight()
	case "preflight behind":
		preflightBehind(os.Args[1])
	case "outside":
		_, err := lab.New(lab.Config{})
		fmt.Println(err)
	default:
		return runOuter(role)
	}
	return 0
}

// leave starts a child and says bye.
func leave(role string, args ...string) {
	child := exec.Command("/proc/self/exe", args...)
	child.Env, child.Stdout = roleEnv(role), os.Stdout
	if err := child.Start(); err != nil {
		panic(err)
	}
	fmt.Println("bye")
}

// runOuter enters a lab of its own, as a program that uses the package does.
func runOuter(role string) int {
	inside, code, err := lab.Enter()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if !inside {
		return code
	}
	l, err := lab.New(lab.Config{})
	if err != nil {
		panic(err)
	}
	h, err := l.Host("a", netip.MustParsePrefix("10.0.0.1/24"))
	if err != nil {
		panic(err)
	}
	terms := make(chan os.Signal, 8)
	signal.Notify(terms, syscall.SIGTERM)
	switch role {
	case "outer":
		if _, err := h.Start(lab.Command{Env: roleEnv("sleep")}); err != nil {
			panic(err)
		}
		fmt.Println("ready")
		<-terms
		fmt.Println("term", len(terms))
		return 5
	case "outer panic":
		panic("as told")
	case "outer forward":
		forwardEcho(h)
		<-terms
		if err := l.Close(); err != nil {
			panic(err)
		}
		return 0
	}
	fmt.Fprintln(os.Stderr, "no such role:", role)
	return 2
}

// forwardEcho serves what it hears, and tells where that can be had from outside.
func forwardEcho(h *lab.Host) {
	l, err := h.Listen("tcp", netip.MustParseAddrPort("10.0.0.1:80"))
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1000)
				for {
					n, err := c.Read(buf)
					c.Write(buf[:n])
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	at, err := h.Forward(0, netip.MustParseAddrPort("10.0.0.1:80"))
	if err != nil {
		panic(err)
	}
	fmt.Println(at)
}

// describe says what a program sees of its host.
func describe() {
	name, _ := os.Hostname()
	var run, links, strays []string
	var others []int
	entries, _ := os.ReadDir("/run")
	for _, e := range entries {
		run = append(run, e.Name())
	}
	entries, _ = os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			others = append(others, pid)
		}
	}
	slices.Sort(others)
	list, _ := net.Interfaces()
	for _, i := range list {
		links = append(links, i.Name)
	}
	entries, _ = os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		own := strings.HasPrefix(target, "anon_inode:[event") || strings.HasPrefix(target, "/sys/fs/cgroup/") // Go's runtime's
		if fd > 2 && err == nil && !own {
			strays = append(strays, target)
		}
	}
	fmt.Printf("hostname=%s parent=%d run=%v others=%v links=%v strays=%v\n", name, os.Getppid(), run, others, links, strays)
}

// stampForEver writes the time into a file's memory and onto the wire, without end, and so does each generation below.
func stampForEver(file, to string, generations int) {
	if generations > 0 {
		child := exec.Command("/proc/self/exe", file, to)
		child.Env = roleEnv([]string{"stamp grandchild", "stamp child"}[generations-1])
		if err := child.Start(); err != nil {
			panic(err)
		}
	}
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	c, err := net.Dial("udp", to)
	if err != nil {
		panic(err)
	}
	for {
		binary.NativeEndian.PutUint64(memory, uint64(time.Now().UnixNano()))
		c.Write(memory)
		time.Sleep(50 * time.Microsecond)
	}
}

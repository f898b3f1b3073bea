package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: Linux shows programs 100 ticks a
// second whatever the kernel counts in.
const tick = 10 * time.Millisecond

// Fields of /proc/PID/stat counted from the one after the name, which is the
// third (proc_pid_stat(5)): utime is the 14th, stime the 15th.
const (
	utimeField = 14 - 3
	stimeField = 15 - 3
)

// CPU gives the processor time that all threads of a process have used so far,
// in steps of 10 ms.
func CPU(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return 0, err
	}
	return parseStat(string(raw))
}

// parseStat reads a line of /proc/PID/stat. The name of the program stands in
// parentheses and may hold spaces and parentheses of its own.
func parseStat(line string) (time.Duration, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) <= stimeField {
		return 0, fmt.Errorf("a line of /proc/PID/stat with %d fields", len(fields))
	}
	var total time.Duration
	for _, at := range []int{utimeField, stimeField} {
		n, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("a time in /proc/PID/stat: %w", err)
		}
		total += time.Duration(n) * tick
	}
	return total, nil
}

// Memory is the resident memory of a process in bytes.
type Memory struct {
	// Resident is now, Anonymous the part of it that no file backs, Peak the
	// most since the start or the last ResetPeak.
	Resident, Anonymous, Peak int64
}

// ReadMemory gives the memory of a process.
func ReadMemory(pid int) (Memory, error) {
	raw, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return Memory{}, err
	}
	return parseStatus(string(raw))
}

func parseStatus(text string) (Memory, error) {
	var m Memory
	want := map[string]*int64{"VmRSS": &m.Resident, "RssAnon": &m.Anonymous, "VmHWM": &m.Peak}
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		into := want[name]
		if into == nil {
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || unit != "kB" {
			return m, fmt.Errorf("%s in /proc/PID/status is %q, not a number of kB", name, strings.TrimSpace(rest))
		}
		*into = n << 10
		delete(want, name)
	}
	if len(want) > 0 {
		return m, fmt.Errorf("/proc/PID/status lacks %d of the memory lines", len(want))
	}
	return m, nil
}

// ResetPeak lets the peak of a process begin again at what it holds now
// (proc_pid_clear_refs(5)).
func ResetPeak(pid int) error {
	return os.WriteFile(procFile(pid, "clear_refs"), []byte("5\n"), 0)
}

func procFile(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

package audit

import "fmt"

// Fault names what is wrong with one event or with the tree.
type Fault string

// The faults.
const (
	// Changed: the event is not the one that was sealed.
	Changed Fault = "changed"
	// Removed: the event was sealed and is no longer there.
	Removed Fault = "removed"
	// Added: the event is there, old enough, and was never sealed.
	Added Fault = "added"
	// Reordered: the event stands at another place than it was sealed at.
	Reordered Fault = "reordered"
	// Duplicated: the place is taken twice.
	Duplicated Fault = "duplicated"
	// Missing: places of the tree are not there at all.
	Missing Fault = "missing"
	// ErasedUnlawfully: the body is gone and no sealed event says why.
	ErasedUnlawfully Fault = "erased-without-record"
	// LeafChanged: the leaf itself was changed; the event is the sealed one.
	LeafChanged Fault = "leaf-changed"
	// TreeDiffers: the leaves do not lead to the root that was signed.
	TreeDiffers Fault = "tree-differs"
	// Truncated: the tree is shorter than a checkpoint says.
	Truncated Fault = "truncated"
	// IndexChanged: the leaves are intact, and what stands beside them to find
	// them by is not.
	IndexChanged Fault = "index-changed"
	// HoldChanged and RetentionChanged: a hold, or for how long a class is
	// kept, is not what the log says.
	HoldChanged      Fault = "hold-changed"
	RetentionChanged Fault = "retention-changed"
	// LogKeyChanged: a generation of the log's keys is not what was announced.
	LogKeyChanged Fault = "log-key-changed"
	// BadCheckpoint: a checkpoint without a valid signature of this log.
	BadCheckpoint Fault = "bad-checkpoint"
)

// Finding is one fault.
type Finding struct {
	Fault Fault `json:"fault"`
	// Seq is the place in the tree, -1 when there is none.
	Seq int64 `json:"seq"`
	// ID is the event, empty when it is not known.
	ID     string `json:"id,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// String gives one line for people.
func (f Finding) String() string {
	out := string(f.Fault)
	if f.Seq >= 0 {
		out += fmt.Sprintf(" at %d", f.Seq)
	}
	if f.ID != "" {
		out += " event " + f.ID
	}
	if f.Detail != "" {
		out += ": " + f.Detail
	}
	return out
}

// maxFindings is how many faults a report lists; all are counted.
const maxFindings = 1000

// Report is the outcome of a verification.
type Report struct {
	Tenant string `json:"tenant"`
	// Size and Root are those of the tree as it was read.
	Size int64  `json:"size"`
	Root string `json:"root"`
	// Intact events equal what was sealed. Erased ones lost their body
	// lawfully: retention took it or the key was destroyed; both are recorded.
	Intact int64 `json:"intact"`
	Erased int64 `json:"erased"`
	// Unchecked events are those whose columns nobody can check any more: the key
	// of their body was destroyed with the patient's, or that of the log with the
	// tenant's.
	Unchecked int64 `json:"unchecked,omitempty"`
	// Withheld events were left out of an export; their leaves were checked.
	Withheld int64 `json:"withheld,omitempty"`
	// Pending events are too new to be sealed.
	Pending int64 `json:"pending"`
	// Checkpoints is how many signed checkpoints the tree agrees with.
	Checkpoints int       `json:"checkpoints"`
	Faults      int64     `json:"faults"`
	Findings    []Finding `json:"findings,omitempty"`
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return r.Faults == 0 }

// Add takes a fault that was found beside the log.
func (r *Report) Add(f Finding) { r.add(f) }

func (r *Report) add(f Finding) {
	if r.Faults++; len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}

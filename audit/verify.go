package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mandate-health/mandate/internal/errs"
)

// Item is one leaf of a Source with the event that stands there.
type Item struct {
	Leaf
	// Salt is the leaf's salt.
	Salt []byte
	// Header and Body are the canonical bytes; Header is nil when the event is
	// not there, Body when it was erased or cannot be read.
	Header, Body []byte
	// Commitment is what was left of an erased body; zero when none was.
	Commitment Hash
	State      State
	// Withheld marks an event that an export left out.
	Withheld bool
}

// Source gives a log to verify: the store, an export, a restored backup.
// Errors of its methods end the verification.
type Source interface {
	// Tenant names the log.
	Tenant() string
	// Items calls each for every leaf, in the order in which the source keeps
	// them, until it fails.
	Items(ctx context.Context, each func(Item) error) error
	// Checkpoints gives the signed checkpoints that the source holds.
	Checkpoints(ctx context.Context) ([][]byte, error)
	// Records gives the events that record erasures and that announce keys, to
	// be believed only where Items shows them intact.
	Records(ctx context.Context) ([]Event, error)
	// Strays calls each for every event that has no leaf among those that
	// Items gave.
	Strays(ctx context.Context, each func(Stored) error) error
}

// VerifyOptions say what to verify against.
type VerifyOptions struct {
	// VerifierKey is a public key that signs the log's checkpoints or signed
	// them: its successors and predecessors are found in the log.
	VerifierKey string
	// Witnessed are signed checkpoints that were kept elsewhere. Only they
	// show that a tail was cut off or that the whole tree was built anew.
	Witnessed [][]byte
	// Now and Grace tell which events may still be unsealed: those younger
	// than the grace before the newest checkpoint, or before Now where nothing
	// was sealed yet. After a stop the last events wait for the next start.
	Now   time.Time
	Grace time.Duration
}

// Verify reads a whole log and reports every event that was changed, removed,
// added, reordered or duplicated since it was sealed, every checkpoint that the
// tree does not agree with, and which events lost their body lawfully. Errors:
// errs.Invalid with code audit-verifier-key; those of the source; faults of the
// log are no errors.
func Verify(ctx context.Context, src Source, o VerifyOptions) (*Report, error) {
	if o.Grace == 0 {
		o.Grace = 2 * time.Minute
	}
	key, err := note.NewVerifier(strings.TrimSpace(o.VerifierKey))
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "audit-verifier-key", "The verifier key of the audit log cannot be read.")
	}
	records, err := src.Records(ctx)
	if err != nil {
		return nil, err
	}
	v := &verification{
		o: o, report: &Report{Tenant: src.Tenant()}, intact: map[string]bool{}, anchors: map[int64][]*anchor{},
		erasures: readErasures(records), chain: newChain(key, records),
	}
	for _, e := range v.erasures {
		for _, text := range e.keys {
			if other, err := note.NewVerifier(text); err == nil {
				v.chain.learn(other)
			}
		}
	}
	if err := v.readCheckpoints(ctx, src); err != nil {
		return nil, err
	}
	if err := src.Items(ctx, v.item); err != nil {
		return nil, err
	}
	v.finish()
	if err := src.Strays(ctx, v.stray); err != nil {
		return nil, err
	}
	if x, ok := src.(indexed); ok && v.report.OK() {
		found, err := x.checkIndex(ctx, v.leaves.size, v.nodes)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			v.report.add(f)
		}
	}
	return v.report, nil
}

type verification struct {
	o        VerifyOptions
	report   *Report
	anchors  map[int64][]*anchor
	erasures []erasure
	chain    *chain
	// intact are the erasure records that were found as they were sealed.
	intact map[string]bool
	// leaves is the tree of the leaves as kept, events the tree of the leaves
	// as computed from the events.
	leaves, events frontier
	// nodes are the hashes that should be kept.
	nodes    []Node
	suspects []suspect
	// early are places that were passed over.
	early map[int64]bool
	// agreed is the greatest size at which a checkpoint agreed; differs is set
	// once one of the source did not.
	agreed  int64
	differs bool
	// met are the checkpoints that the tree agrees with.
	met []*anchor
	// sealed is the time of the newest checkpoint.
	sealed time.Time
}

// suspect is an item whose event does not lead to its leaf.
type suspect struct {
	seq    int64
	id     string
	hash   Hash
	header Hash
	body   Hash
}

func (v *verification) readCheckpoints(ctx context.Context, src Source) error {
	own, err := src.Checkpoints(ctx)
	if err != nil {
		return err
	}
	known := v.chain.verifiers()
	read := func(all [][]byte, witnessed bool) {
		for _, signed := range all {
			c, by, err := openCheckpoint(signed, Origin(src.Tenant()), known)
			if err != nil {
				what := "a kept checkpoint"
				if witnessed {
					what = "the given checkpoint"
				}
				v.report.add(Finding{Fault: BadCheckpoint, Seq: -1, Detail: what + " is not signed by this log's key, or is another log's"})
				continue
			}
			v.anchors[c.Size] = append(v.anchors[c.Size], &anchor{Checkpoint: c, witnessed: witnessed, by: by})
			if c.Time.After(v.sealed) {
				v.sealed = c.Time
			}
		}
	}
	read(own, false)
	read(v.o.Witnessed, true)
	return nil
}

// item takes the next leaf.
func (v *verification) item(it Item) error {
	switch next := v.leaves.size; {
	case it.Seq < next:
		v.outOfTurn(it)
		return nil
	case it.Seq > next:
		v.gap(next, it.Seq)
	}
	computed := v.judge(it)
	v.nodes = append(v.nodes, v.leaves.add(it.Hash)...)
	v.events.add(computed)
	v.meet()
	return nil
}

// outOfTurn takes an item whose place was passed already.
func (v *verification) outOfTurn(it Item) {
	fault := Duplicated
	if v.early[it.Seq] {
		fault = Reordered
		delete(v.early, it.Seq)
	}
	v.report.add(Finding{Fault: fault, Seq: it.Seq, ID: it.ID, Detail: fmt.Sprintf("found where place %d was expected", v.leaves.size)})
}

// maxGap bounds the places that are remembered one by one.
const maxGap = 1 << 20

// gap takes note of places that were passed over. The roots are wrong from
// here on; that the places are missing says so already.
func (v *verification) gap(from, to int64) {
	if v.early == nil {
		v.early = map[int64]bool{}
	}
	for seq := from; seq < to && len(v.early) < maxGap; seq++ {
		v.early[seq] = true
	}
	if to-from >= maxGap {
		v.report.add(Finding{Fault: Missing, Seq: from, Detail: fmt.Sprintf("places %d to %d are not there", from, to-1)})
	}
	for v.leaves.size < to && v.leaves.size-from < maxGap {
		v.leaves.add(Hash{})
		v.events.add(Hash{})
	}
	v.leaves.size, v.events.size = to, to
}

// judge compares an event with its leaf and gives the leaf that it leads to.
func (v *verification) judge(it Item) Hash {
	switch {
	case it.Withheld:
		v.report.Withheld++
		return it.Hash
	case it.Header == nil:
		v.report.add(Finding{Fault: Removed, Seq: it.Seq, ID: it.ID})
		return it.Hash
	}
	header := headerCommitment(it.Salt, it.Header)
	switch {
	case it.Salt == nil:
		// The keys of the whole log are gone: no leaf can be computed.
		v.report.Unchecked++
		v.judgeErased(it)
		return it.Hash
	case it.State == Unreadable:
		v.report.add(Finding{Fault: Changed, Seq: it.Seq, ID: it.ID, Detail: "the body does not open"})
		return it.Hash
	case it.Body == nil && it.Commitment == (Hash{}):
		// The key of the body is gone, and nothing of it is left to compute the
		// leaf from.
		v.report.Unchecked++
		v.judgeErased(it)
		return it.Hash
	case it.Body == nil:
		v.compare(it, header, it.Commitment, true)
		return leafHash(it.Seq, header, it.Commitment)
	}
	body := bodyCommitment(it.Salt, it.Body)
	v.compare(it, header, body, false)
	return leafHash(it.Seq, header, body)
}

func (v *verification) compare(it Item, header, body Hash, erased bool) {
	switch {
	case leafHash(it.Seq, header, body) != it.Hash || it.State == Garbled:
		v.suspects = append(v.suspects, suspect{it.Seq, it.ID, it.Hash, header, body})
	case erased:
		v.judgeErased(it)
	default:
		v.report.Intact++
		switch e, err := ReadCanonical(it.Header, nil); {
		case err != nil:
		case e.Kind == AuditErased:
			v.intact[it.ID] = true
		case announces(e):
			v.chain.met(it.ID, it.Seq)
		}
	}
}

// judgeErased asks whether an intact record covers the loss of a body.
func (v *verification) judgeErased(it Item) {
	e, err := ReadCanonical(it.Header, nil)
	if err == nil {
		for i := range v.erasures {
			if v.erasures[i].covers(e) {
				v.erasures[i].used = true
				v.report.Erased++
				return
			}
		}
	}
	detail := "the body is gone"
	if it.State == Destroyed {
		detail = "the key of the body is gone"
	}
	v.report.add(Finding{Fault: ErasedUnlawfully, Seq: it.Seq, ID: it.ID, Detail: detail})
}

// meet compares the root with the checkpoints of this size.
func (v *verification) meet() {
	for _, a := range v.anchors[v.leaves.size] {
		if v.leaves.root() == a.Root {
			a.agreed, v.agreed = true, a.Size
			v.met = append(v.met, a)
			continue
		}
		if v.events.root() == a.Root {
			// The events are those that were signed: the leaves were changed.
			v.blameLeaves()
			continue
		}
		detail := fmt.Sprintf("the first %d leaves do not lead to the root signed at %s; up to %d they do",
			a.Size, a.Time.Format(time.RFC3339), v.agreed)
		if a.witnessed {
			detail += " in the checkpoint kept elsewhere: the tree was built anew or changed"
		} else if v.differs {
			continue
		}
		v.differs = v.differs || !a.witnessed
		v.report.add(Finding{Fault: TreeDiffers, Seq: -1, Detail: detail})
	}
	delete(v.anchors, v.leaves.size)
}

// blameLeaves names the suspects up to here whose leaf was changed.
func (v *verification) blameLeaves() {
	for _, s := range v.suspects {
		v.report.add(Finding{Fault: LeafChanged, Seq: s.seq, ID: s.id, Detail: "the event itself is as it was sealed"})
	}
	v.suspects = nil
}

// finish settles what only the end shows.
func (v *verification) finish() {
	v.nameSuspects()
	v.judgeKeys()
	for seq := range v.early {
		v.report.add(Finding{Fault: Missing, Seq: seq})
	}
	for size, list := range v.anchors {
		for _, a := range list {
			if size == 0 {
				continue
			}
			v.report.add(Finding{Fault: Truncated, Seq: -1, Detail: fmt.Sprintf("%s counts %d events, the tree %d", a, size, v.leaves.size)})
		}
	}
	for _, e := range v.erasures {
		// One that is not sealed yet counts until it should be.
		if e.used && !v.intact[e.id] && v.sealed.Sub(e.at) >= v.o.Grace {
			v.report.add(Finding{Fault: ErasedUnlawfully, Seq: -1, ID: e.id, Detail: "bodies are gone by a record that is not sealed as it stands"})
		}
	}
	v.report.Size = v.leaves.size
	if v.leaves.size > 0 {
		v.report.Root = v.leaves.root().String()
	}
}

// judgeKeys asks of every checkpoint that the tree agrees with whether who
// signed it was the one to do so. The others are faults already.
func (v *verification) judgeKeys() {
	for _, e := range v.erasures {
		if e.all && v.intact[e.id] && slices.Contains(e.keys, strings.TrimSpace(v.o.VerifierKey)) {
			v.chain.trustAll(e.keys)
		}
	}
	v.chain.follow(v.met)
	for _, a := range v.met {
		if why := v.chain.judge(a); why != "" {
			v.report.add(Finding{Fault: BadCheckpoint, Seq: -1, Detail: why})
			continue
		}
		v.report.Checkpoints++
	}
}

// nameSuspects tells events that stand at each other's place from changed ones.
func (v *verification) nameSuspects() {
	leaves := make(map[Hash]int64, len(v.suspects))
	places := make([]int64, 0, len(v.suspects))
	for _, s := range v.suspects {
		leaves[s.hash] = s.seq
		places = append(places, s.seq)
	}
	for _, s := range v.suspects {
		finding := Finding{Fault: Changed, Seq: s.seq, ID: s.id}
		for _, seq := range v.origins(s, places) {
			// Either the leaf moved with its event, or only the event did.
			h := leafHash(seq, s.header, s.body)
			if _, there := leaves[h]; seq != s.seq && (h == s.hash || there) {
				finding = Finding{Fault: Reordered, Seq: s.seq, ID: s.id, Detail: fmt.Sprintf("sealed at %d", seq)}
				break
			}
		}
		v.report.add(finding)
	}
	v.suspects = nil
}

// maxOrigins bounds the places that are tried for one suspect.
const maxOrigins = 4096

// origins lists where a suspect may have been sealed: where others are suspect
// too, and a little around.
func (v *verification) origins(s suspect, places []int64) []int64 {
	out := places
	if len(out) > maxOrigins {
		out = out[:maxOrigins]
	}
	for d := int64(1); d <= 8; d++ {
		out = append(out[:len(out):len(out)], s.seq-d, s.seq+d)
	}
	return out
}

// stray takes an event without a leaf.
func (v *verification) stray(s Stored) error {
	due := v.sealed
	if due.IsZero() {
		due = v.o.Now
	}
	if due.Sub(s.Event.Time) < v.o.Grace {
		v.report.Pending++
		return nil
	}
	v.report.add(Finding{Fault: Added, Seq: -1, ID: s.Event.ID, Detail: "dated " + s.Event.Time.Format(time.RFC3339) + " and never sealed"})
	return nil
}

package attack_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// timed are how long answers to wrong passwords took.
type timed []time.Duration

func (t timed) median() time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return sorted[len(sorted)/2]
}

// apart gives by how much more often than by chance a value of one is greater than one
// of the other: 0 for none, 1 for always (Cliff's delta).
func apart(one, two timed) float64 {
	more := 0
	for _, x := range one {
		for _, y := range two {
			switch {
			case x > y:
				more++
			case x < y:
				more--
			}
		}
	}
	return math.Abs(float64(more)) / float64(len(one)*len(two))
}

// AS-03: from outside, the time of an answer does not tell known accounts from unknown
// ones. Tries alternate, and which of a pair is first too, so that a busy machine slows
// both alike; each comes from a network of its own, because pauses would say nothing
// about accounts. The bound is far above chance and far below what a missing password
// hash would show; what a neighbour of the machine did once is measured again.
func TestTimesOfKnownAndUnknownAccounts(t *testing.T) {
	const bound = 0.7
	known, unknown := guessTimes(t, 0)
	if apart(known, unknown) >= bound {
		known, unknown = guessTimes(t, 1)
	}
	seen := fmt.Sprintf("medians %s and %s, apart by %.2f", known.median().Round(time.Millisecond), unknown.median().Round(time.Millisecond), apart(known, unknown))
	step(t, "telling accounts from the time of the answer", apart(known, unknown) < bound, seen)
}

// guessTimes measures wrong passwords of people who have an account and of people who
// have none; each round has networks of its own.
func guessTimes(t *testing.T, round int) (known, unknown timed) {
	t.Helper()
	const tries = 80
	ask := func(name string, i int) time.Duration {
		var took time.Duration
		from := fmt.Sprintf("172.%d.%d.1", 16+2*round+i/200, i%200)
		if res := timedGuess(t, target.NewBrowser(kit.Person{}), name, "a wrong password", from, &took); res.Status != http.StatusUnauthorized {
			t.Fatalf("%s: %s", name, res)
		}
		return took
	}
	people := []string{"tom", "hale", "elena", "victor"}
	for i := range tries {
		// No account is tried so often that work is due.
		if i%8 == 0 {
			if err := target.Advance(t.Context(), 2*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		ours := func() { known = append(known, ask(people[i%len(people)], 2*i)) }
		nobodys := func() { unknown = append(unknown, ask(fmt.Sprintf("nobody%d", i%len(people)), 2*i+1)) }
		if i%2 == 0 {
			ours()
			nobodys()
			continue
		}
		nobodys()
		ours()
	}
	return known, unknown
}

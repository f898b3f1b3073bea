package txn

import "time"

// mostPatience bounds how long anybody waits for company.
const mostPatience = 5 * time.Millisecond

// Company says for how long a commit that many share waits for more of them. Who
// was answered by the last one often comes again at once, and those who came
// meanwhile are here: without patience they would take turns with half a commit
// each. Who comes alone never waits. It is for one goroutine; its zero value
// waits for nobody.
type Company struct {
	expected int
	patience time.Duration
}

// Patience gives how long n wait for more at most: none when all are here who are
// to be expected, otherwise half of the time that the last commit took.
func (c *Company) Patience(n int) time.Duration {
	if n >= c.expected {
		return 0
	}
	return c.patience
}

// Shared notes a commit of n that took a time, at whose end others waited for the
// next one.
func (c *Company) Shared(n, others int, took time.Duration) {
	c.expected, c.patience = n+others, min(took/2, mostPatience)
}

// Package matter keeps what people must decide about the access of others, by a day:
// the review of a denial to somebody who stands in the patient's shoes (45 CFR
// 164.502(g), TF-22), with the ground of the information-blocking rule on which it
// rests, and disputes between people who help one patient (LC-17). Its rules are
// pure; grounds and the days of the clock are those of the jurisdiction (internal/law).
//
// Neighbours: access/lifecycle opens and decides matters in the transactions of its
// use-cases. A matter opens and closes no access by itself.
package matter

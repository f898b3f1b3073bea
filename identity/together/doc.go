// Package together tells from the recorded log-ins and devices of one account
// whether two people seem to use it: the usual reality when somebody cares for a
// patient (SP-21). Its rules are pure, each is named, and what they found can be
// said in a sentence. They lead to a question, never to a lock.
package together

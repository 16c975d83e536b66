package scorer

// maxExclude is how many ads a request may exclude.
const maxExclude = 10_000

// exclude notes which ads q excludes.
func (c *Call) exclude(q *Request) {
	if len(q.Exclude) == 0 {
		return
	}
	if clear(c.excluded); c.excluded == nil {
		c.excluded = make(map[string]bool, len(q.Exclude))
	}
	for _, ad := range q.Exclude {
		c.excluded[ad] = true
	}
}

// excludes says whether the i-th candidate of q is excluded. See exclude.
func (c *Call) excludes(q *Request, i int) bool {
	return len(q.Exclude) > 0 && c.excluded[q.Candidates[i].Ad]
}

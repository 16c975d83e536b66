package stream

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Operations on topics and groups, as Kafka's ACLs name them. Read, Write and AlterConfigs imply
// the right to describe.
const (
	OpRead            = "Read"
	OpWrite           = "Write"
	OpDescribe        = "Describe"
	OpCreate          = "Create"
	OpDescribeConfigs = "DescribeConfigs"
	OpAlterConfigs    = "AlterConfigs"
)

// operationBits are the codes of operations: their bits in an answer's authorized operations
// (KIP-430).
var operationBits = map[string]int{OpRead: 3, OpWrite: 4, OpCreate: 5, OpDescribe: 8, OpDescribeConfigs: 10, OpAlterConfigs: 11}

// Need is what a client does with one topic or group.
type Need struct {
	Group      bool   // a consumer group, else a topic
	Name       string // without prefix
	Operations []string
}

// Principal returns the user whose ACLs count for this client: that of its login, or the subject of
// its certificate.
func (cfg *Config) Principal() string {
	if cfg.SASL.Mechanism != "" {
		return "User:" + cfg.SASL.Username
	}
	if b, err := os.ReadFile(cfg.TLS.CertFile); err == nil {
		if block, _ := pem.Decode(b); block != nil {
			if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
				return "User:" + cert.Subject.String()
			}
		}
	}
	return "User:ANONYMOUS"
}

// GrantCommand returns the command by which an administrator gives principal what needs say. They
// are all of groups or all of topics, and need the same operations.
func (cfg *Config) GrantCommand(principal string, needs ...Need) string {
	broker, kind := "HOST:PORT", " --topic "
	if len(cfg.Brokers) > 0 {
		broker = cfg.Brokers[0]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-acls.sh --bootstrap-server %s --command-config admin.properties --add --allow-principal '%s'", broker, principal)
	for _, o := range needs[0].Operations {
		b.WriteString(" --operation " + o)
	}
	if needs[0].Group {
		kind = " --group "
	}
	for _, n := range needs {
		b.WriteString(kind + cfg.Prefix + n.Name)
	}
	return b.String()
}

// denied returns an *AccessError that names the ACL for n, if err is the broker's refusal for want
// of it, and else err itself.
func (c *cluster) denied(err error, n Need) error {
	if !errors.Is(err, kafka.TopicAuthorizationFailed) && !errors.Is(err, kafka.GroupAuthorizationFailed) && !errors.Is(err, kafka.ClusterAuthorizationFailed) {
		return err
	}
	var known *AccessError
	if errors.As(err, &known) {
		return err
	}
	kind, principal := "topic", c.cfg.Principal()
	if n.Group {
		kind = "group"
	}
	return &AccessError{What: fmt.Sprintf("Kafka denies %s to %s on %s %s", strings.Join(n.Operations, ", "), principal, kind, c.name(n.Name)),
		Mend: c.cfg.GrantCommand(principal, n), Err: err}
}

// CheckAccess returns nil once a broker answers and allows all needs, and an *AccessError as soon
// as one does not let this client in, or denies some of them. Topics that do not exist are allowed
// everything. It waits for a broker that is still starting.
func (c *cluster) CheckAccess(ctx context.Context, needs ...Need) error {
	attempts := 0
	return c.retry(ctx, "reach Kafka", func(ctx context.Context) error {
		broker := c.cfg.Brokers[attempts%len(c.cfg.Brokers)]
		attempts++
		err := c.checkAccess(ctx, broker, needs)
		var access *AccessError
		if err = c.door.diagnose(ctx, broker, err); errors.As(err, &access) {
			return &finalError{err}
		}
		if err == nil {
			c.door.passed.Store(true)
		}
		return err
	})
}

// checkAccess asks one broker what this client may do.
func (c *cluster) checkAccess(ctx context.Context, broker string, needs []Need) error {
	w, err := c.connect(ctx, broker)
	if err != nil {
		return err
	}
	defer w.close()
	stop, err := w.bound(ctx, attemptTimeout)
	if err != nil {
		return err
	}
	defer stop()
	topics := kmsg.NewPtrMetadataRequest()
	topics.Version, topics.IncludeTopicAuthorizedOperations = 9, true
	topics.Topics = []kmsg.MetadataRequestTopic{}
	for _, n := range needs {
		if !n.Group {
			t, name := kmsg.NewMetadataRequestTopic(), c.name(n.Name)
			t.Topic = &name
			topics.Topics = append(topics.Topics, t)
		}
	}
	found := kmsg.NewPtrMetadataResponse()
	if err := w.ask(topics, found); err != nil {
		return err
	}
	may, code := map[string]int32{}, map[string]int16{}
	for _, t := range found.Topics {
		may[*t.Topic], code[*t.Topic] = t.AuthorizedOperations, t.ErrorCode
	}
	var missing []error
	for _, n := range needs {
		allowed, refused := may[c.name(n.Name)], kafka.Error(code[c.name(n.Name)])
		if n.Group {
			if allowed, refused, err = c.mayGroup(ctx, n.Name); err != nil {
				return err
			}
		}
		switch {
		case refused == kafka.TopicAuthorizationFailed || refused == kafka.GroupAuthorizationFailed:
			missing = append(missing, c.denied(refused, n))
		case refused == 0:
			if lacking := lack(allowed, n); len(lacking.Operations) > 0 {
				missing = append(missing, c.denied(kafka.TopicAuthorizationFailed, lacking))
			}
		}
	}
	return errors.Join(missing...)
}

// lack returns n with the operations that are not among those of a broker's answer. A broker
// without an authorizer does not say.
func lack(allowed int32, n Need) Need {
	lacking := Need{Group: n.Group, Name: n.Name}
	for _, o := range n.Operations {
		if allowed != math.MinInt32 && allowed&(1<<operationBits[o]) == 0 {
			lacking.Operations = append(lacking.Operations, o)
		}
	}
	return lacking
}

// mayGroup asks the group's coordinator what this client may do.
func (c *cluster) mayGroup(ctx context.Context, group string) (allowed int32, refused kafka.Error, err error) {
	where, err := c.kafka.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: c.name(group), KeyType: kafka.CoordinatorKeyTypeConsumer})
	if err == nil && where.Error != nil {
		err = where.Error
	}
	if errors.Is(err, kafka.GroupAuthorizationFailed) {
		return 0, kafka.GroupAuthorizationFailed, nil
	}
	if err != nil {
		return 0, 0, err
	}
	w, err := c.connect(ctx, fmt.Sprintf("%s:%d", where.Coordinator.Host, where.Coordinator.Port))
	if err != nil {
		return 0, 0, err
	}
	defer w.close()
	stop, err := w.bound(ctx, attemptTimeout)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	req, resp := kmsg.NewPtrDescribeGroupsRequest(), kmsg.NewPtrDescribeGroupsResponse()
	req.Version, req.Groups, req.IncludeAuthorizedOperations = 4, []string{c.name(group)}, true
	if err := w.ask(req, resp); err != nil {
		return 0, 0, err
	}
	if len(resp.Groups) != 1 {
		return 0, 0, errShortAnswer
	}
	found := resp.Groups[0]
	if found.ErrorCode != 0 && kafka.Error(found.ErrorCode) != kafka.GroupAuthorizationFailed {
		return math.MinInt32, 0, nil // such as a coordinator that is loading: joining shows it
	}
	return found.AuthorizedOperations, kafka.Error(found.ErrorCode), nil
}

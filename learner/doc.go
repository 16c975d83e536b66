// Package learner turns labelled examples into weights, which scorers serve a moment later.
//
// The order of the examples topic alone decides the weights. A checkpoint holds everything that the
// effect of the next example depends on, so a learner that is killed at any moment ends with the
// same bytes as one that was not.
//
// Each network of each objective is learned by one process at a time: by the one to which the
// consumer group "learner.<network key>" assigns the partition of the examples topic. The others
// stand by. Networks share nothing but the examples.
//
// These are the goroutines of one network. The first runs as long as the stage. It starts the other
// six for each generation of the group in which this process is the owner, and waits for them;
// they end when the generation does, or when one of them returns an error.
//
//	goroutine      owns                          is woken by                    ends the others when
//	owner.run      membership of the group       an assignment                  the stage ends
//	reader.run     the reader of the examples    a record, an empty batch       the topic was recreated
//	learning.loop  network, publisher, copier,   a full batch, a question, a    the network diverged, or a
//	               checkpoints, questions        result of writer or saver,     dead letter is not written
//	                                             a lost snapshot, a timer
//	writer.run     the order on the model topic  a message                      Kafka refuses for good
//	saver.run      the checkpoint files          a copy of the whole state      never
//	watcher.run    the group's offset            a tick a second                the topic was recreated
//	blocks.run     the order of the blocks       a batch of blocks              never
//
// Only the loop touches the network. Two batches go round between reader and loop; a batch belongs
// to the goroutine that has received it. A copy of the network belongs to the writer or the saver
// from its delivery until the loop receives their result.
package learner

// SPDX-License-Identifier: MIT
//
// Blocks for arrays: what keeps them in use, what ends that, and what a kill leaves.
#include "shared_memory/array_block.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "families.h"
#include "io/endpoint.h"
#include "kills.h"
#include "os/descriptor_kind.h"
#include "os/platform.h"
#include "registers/register_folder.h"
#include "semaphores/family.h"
#include "shared_memory/array_pool.h"

namespace mp::test {
namespace {

using Block = std::shared_ptr<ArrayBlock>;

// Runs `body(family)` in a process that has a family of its own.
template <typename Body>
void InFamily(Body body) {
  Child child([&](Voice&) {
    std::shared_ptr<Family> family;
    Equal(Family::Own(&family), 0);
    body(family);
    Family::LeaveAll();
  });
  child.End();
}

Block New(const std::shared_ptr<Family>& family, size_t size = 4096) {
  Block block;
  Equal(ArrayBlock::Create(family, size, &block), 0);
  return block;
}

std::string PathOf(const ArrayBlock& block) { return block.folder() + "/" + block.file(); }

ArrayTicket Send(ArrayBlock& block) {
  ArrayTicket ticket;
  Equal(block.AddTicket(&ticket), 0);
  return ticket;
}

// The files of blocks of all families.
size_t Blocks() {
  size_t count = 0;
  for (const std::string& file : Entries(UsualFolder())) count += ArrayBlock::IsBlock(file) ? 1 : 0;
  return count;
}

const Test kUse("array block: is in use while another one maps it or a message names it", [] {
  InFamily([](const auto& family) {
    const Block made = New(family);
    Check(made->Reclaim(), "it was never sent");
    Equal(made->generation(), 0U);
    const ArrayTicket ticket = Send(*made);
    Check(!made->Reclaim(), "a message names it");
    Block opened;
    Equal(ArrayBlock::Open(made->file(), 0, ticket, &opened), 0);
    static_cast<char*>(made->data())[5] = 7;
    Equal(static_cast<char*>(opened->data())[5], 7);
    Check(opened->size() == made->size() && opened->data() != made->data());
    Check(!made->Reclaim(), "it is mapped");
    opened.reset();
    Check(made->Reclaim(), "it is free");
    Equal(made->generation(), 1U);
  });
});

const Test kFork("array block: a process that was forked uses what its parent has mapped", [] {
  InFamily([](const auto& family) {
    const Block made = New(family);
    Block opened;
    Equal(ArrayBlock::Open(made->file(), 0, Send(*made), &opened), 0);
    Child child([&](Voice& voice) { voice.Expect("end"); });
    // The copy of the mapping and of the descriptor is enough, without those of the parent.
    opened.reset();
    Check(!made->Reclaim());
    child->Say("end");
    child.End();
    Check(made->Reclaim());
  });
});

const Test kStale(
    "array block: a message about an earlier use is refused, and frees its ticket", [] {
      InFamily([](const auto& family) {
        const Block made = New(family);
        const ArrayTicket ticket = Send(*made);
        made->EndTicket(ticket);
        Check(made->Reclaim());
        const ArrayTicket next = Send(*made);
        Block opened;
        Equal(ArrayBlock::Open(made->file(), 0, ticket, &opened), -ESTALE);
        Equal(ArrayBlock::Open(made->file(), 0, next, &opened), -ESTALE);
        Check(made->Reclaim(), "no ticket is left");
        Equal(ArrayBlock::Open(family->name() + ".array.zzz", 0, next, &opened), -ENOENT);
        Equal(ArrayBlock::Open(family->name() + ".holders", 0, next, &opened), -EINVAL);
        Equal(ArrayBlock::Open("../../etc.array.1", 0, next, &opened), -EINVAL);
      });
    });

const Test kTickets("array block: has as many tickets as its page has room for", [] {
  InFamily([](const auto& family) {
    const Block made = New(family);
    std::vector<ArrayTicket> tickets;
    ArrayTicket ticket;
    int status = 0;
    while ((status = made->AddTicket(&ticket)) == 0) tickets.push_back(ticket);
    Equal(status, -ENOSPC);
    Equal(tickets.size(), 248U);
    ArrayBlock::EndTicket(made->file(), tickets[7]);
    Equal(made->AddTicket(&ticket), 0);
    Equal(ticket.word, tickets[7].word);
    // A ticket that has ended is not that of the message that has its place.
    made->EndTicket(tickets[7]);
    made->EndTicketsOf(static_cast<uint32_t>(::getpid()));
    Check(made->Reclaim());
  });
});

const Test kRoute(
    "array block: a message ends with its route, a pipe's after its sender has closed it", [] {
      InFamily([](const auto& family) {
        const Block made = New(family);
        int fds[2];
        Equal(platform::MakePipe(fds), 0);
        UniqueFd reader(fds[0]);
        std::shared_ptr<MessageRoute> route;
        ArrayTicket ticket;
        {
          sys::Description what;
          Equal(sys::Describe(fds[1], &what), 0);
          const auto writer =
              std::make_shared<Endpoint>(UniqueFd(fds[1]), what, Endpoint::Options{});
          Check(MessageRoute::Of(*writer, false) == nullptr, "it is not watched yet");
          route = MessageRoute::Of(*writer);
          Check(MessageRoute::Of(*writer) == route);
        }
        Equal(made->AddTicket(&ticket, route), 0);
        Check(!made->Reclaim(), "the message can be received");
        Child child([&](Voice& voice) { voice.Expect("end"); });
        reader.Reset(-1);
        Check(!made->Reclaim(), "another process has the reading end");
        child->Say("end");
        child.End();
        Check(made->Reclaim(), "no process can receive it");
        Equal(made->AddTicket(&ticket, route), 0);
        Check(!made->TakeSent().empty());
        Check(ArrayBlock::IsOver({made->file(), ticket, route}));
        Check(made->Reclaim());
        const int peers = platform::MakeSocketPair(fds);
        Equal(peers, 0);
        UniqueFd other(fds[0]);
        sys::Description what;
        Equal(sys::Describe(fds[1], &what), 0);
        const auto socket = std::make_shared<Endpoint>(UniqueFd(fds[1]), what, Endpoint::Options{});
        route = MessageRoute::Of(*socket);
        Equal(made->AddTicket(&ticket, route), 0);
        Check(!made->Reclaim());
        other.Reset(-1);
        Check(made->Reclaim());
      });
    });

const Test kPool("array pool: uses a block again, but not while another process has it", [] {
  InFamily([](const auto&) {
    Block first;
    Equal(array_pool::Take(10000, &first), -EAGAIN);
    Equal(array_pool::Make(10000, &first), 0);
    const void* data = first->data();
    const std::string file = first->file();
    Check(array_pool::Find(data) == first);
    array_pool::Return(std::move(first));
    Check(array_pool::Find(data) == nullptr);
    Equal(array_pool::Take(9000, &first), 0);
    Equal(first->data(), data);
    const ArrayTicket ticket = Send(*first);
    Block other;
    array_pool::Return(std::move(first));
    Equal(array_pool::Take(9000, &other), -EAGAIN);
    // It comes back to its owner, which has kept the mapping.
    Equal(array_pool::Open(file, 0, ticket, &first), 0);
    Equal(first->data(), data);
    Check(first->is_own());
    array_pool::Return(std::move(first));
    Check(array_pool::Trim());
    Equal(Blocks(), 0U);
  });
});

const Test kGone("array pool: what a killed member has left is removed, unless it is in use", [] {
  InFamily([](const auto& family) {
    Child killed([&](Voice& voice) {
      const Block unused = New(family);
      const Block sent = New(family);
      const ArrayTicket ticket = Send(*sent);
      const Block half = New(family);
      (void)Send(*half);
      voice.Say(sent->file());
      voice.Say(std::to_string(ticket.word) + " " + std::to_string(ticket.value));
      voice.Expect("never");
    });
    const std::string file = killed->Hear();
    ArrayTicket ticket;
    const std::string text = killed->Hear();
    ticket.word = static_cast<uint32_t>(std::stoul(text));
    ticket.value = std::stoull(text.substr(text.find(' ')));
    Equal(Blocks(), 3U);
    const auto pid = static_cast<uint32_t>(killed.pid());
    killed.Kill();
    Block received;
    Equal(array_pool::Open(file, 0, ticket, &received), 0);
    Block own;
    Equal(array_pool::Make(10, &own), 0);
    array_pool::EndTicketsOf(pid);
    Equal(Blocks(), 2U);
    Check(Exists(PathOf(*received)));
    array_pool::Return(std::move(received));
    Equal(Blocks(), 1U);
    array_pool::Return(std::move(own));
    Check(array_pool::Trim());
    Equal(Blocks(), 0U);
  });
});

const Test kKilled("array block: a kill at any step leaves nothing once the family has ended", [] {
  int step = 0;
  for (bool died = true; died; step++) {
    died = DiesAtStep(step, [&](const auto& arm) {
      std::shared_ptr<Family> family;
      Equal(Family::Own(&family), 0);
      arm();
      const Block made = New(family);
      Block opened;
      Equal(ArrayBlock::Open(made->file(), 0, Send(*made), &opened), 0);
    });
    std::vector<SweptFamily> swept;
    Equal(Sweep(UsualFolder(), &swept), 0);
    Equal(Blocks(), 0U, "step " + Shown(step));
  }
  Check(step > 3, "there are steps");
});

#ifndef __SANITIZE_ADDRESS__  // UndefinedBehaviorSanitizer makes a pipe for each look at a virtual
                              // table.
// Regression: such a message counted as over, and its ticket kept the block in use for ever.
const Test kNoDescriptor("array block: a lost message is over once there is a descriptor to end it",
                         [] {
                           InFamily([](const auto& family) {
                             const Block made = New(family);
                             RawPair pipe = RawPipe();
                             const auto writer =
                                 MakeEndpoint(UniqueFd(sys::Duplicate(pipe.writer.get())));
                             const auto route = MessageRoute::Of(*writer);
                             ArrayTicket ticket;
                             Equal(made->AddTicket(&ticket, route), 0);
                             Check(!made->TakeSent().empty());
                             pipe.reader.Reset();
                             rlimit before{};
                             ::getrlimit(RLIMIT_NOFILE, &before);
                             const rlimit none{0, before.rlim_max};
                             Equal(::setrlimit(RLIMIT_NOFILE, &none), 0);
                             const bool is_over = ArrayBlock::IsOver({made->file(), ticket, route});
                             Equal(::setrlimit(RLIMIT_NOFILE, &before), 0);
                             Check(!is_over);
                             Check(!made->Reclaim());
                             Check(ArrayBlock::IsOver({made->file(), ticket, route}));
                             Check(made->Reclaim());
                           });
                         });

// Regression: the ticket stayed, since the file of the block could not be opened.
const Test kEndTicket("array pool: ends a ticket of a block of its own without a descriptor", [] {
  InFamily([](const auto&) {
    Block block;
    Equal(array_pool::Make(10, &block), 0);
    const ArrayTicket ticket = Send(*block);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{0, before.rlim_max};
    Equal(::setrlimit(RLIMIT_NOFILE, &none), 0);
    array_pool::EndTicket(block->file(), ticket);
    Equal(::setrlimit(RLIMIT_NOFILE, &before), 0);
    Check(block->Reclaim());
    array_pool::Return(std::move(block));
    Check(array_pool::Trim());
  });
});

// Regression: the ticket of a message that could not be opened stayed until its sender ended.
const Test kLostMessage("array pool: ends the ticket of a message that it had no descriptor for",
                        [] {
                          InFamily([](const auto& family) {
                            const Block block = New(family);
                            const ArrayTicket ticket = Send(*block);
                            Block opened;
                            rlimit before{};
                            ::getrlimit(RLIMIT_NOFILE, &before);
                            const rlimit none{0, before.rlim_max};
                            Equal(::setrlimit(RLIMIT_NOFILE, &none), 0);
                            const int status = array_pool::Open(block->file(), 0, ticket, &opened);
                            Equal(::setrlimit(RLIMIT_NOFILE, &before), 0);
                            Equal(status, -EMFILE);
                            Check(!block->Reclaim());
                            Check(array_pool::Trim());
                            Check(block->Reclaim());
                            block->Unlink();
                          });
                        });
#endif

const Test kNoSpace("array pool: a lack of memory or descriptors is an error, and leaves no file",
                    [] {
                      InFamily([](const auto&) {
                        Block idle;
                        Equal(array_pool::Make(4096, &idle), 0);
                        array_pool::Return(std::move(idle));
                        Block block;
                        Equal(array_pool::Make(size_t{1} << 45, &block), -ENOSPC);
                        // It has given up everything for that.
                        Equal(Blocks(), 0U);
#ifndef __SANITIZE_ADDRESS__  // UndefinedBehaviorSanitizer makes a pipe for each look at a virtual
                              // table.
                        const rlimit none{0, 0};
                        Equal(::setrlimit(RLIMIT_NOFILE, &none), 0);
                        Equal(array_pool::Make(4096, &block), -EMFILE);
#endif
                        Check(!block);
                      });
                    });

}  // namespace
}  // namespace mp::test

int main(int argc, char** argv) { return mp::test::Run(argc, argv); }

// SPDX-License-Identifier: MIT
//
// The table of the members of a queue with leases.
#pragma once

#include <cstdint>

#include "leases/lease_block.h"

namespace mp::leases {

// Enters this process and thread. The index of the entry, or -EUSERS if all are in use.
int ClaimMember(LeaseBlock& block, uint32_t thread) noexcept;
// The same for an entry that is kept for a process that has to make room in a full table.
int ClaimSpare(LeaseBlock& block) noexcept;

// The owner will do nothing any more: the entry counts as that of a dead member.
void EndMember(MemberEntry& entry) noexcept;

// Differs between the claims of an entry.
uint32_t ClaimOf(const MemberEntry& entry) noexcept;

// Whether the entry has an owner, dead or not.
bool IsInUse(const MemberEntry& entry) noexcept;

// The state of the entry if its owner has certainly ended, else 0.
uint64_t DeadState(const MemberEntry& entry) noexcept;

// Gives the entry up, for the next member. Only if it still has the state of the dead one.
void FreeMember(MemberEntry& entry, uint64_t dead_state) noexcept;

}  // namespace mp::leases

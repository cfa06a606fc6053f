//! Giving memory back to the kernel that is not in use for now.
//!
//! Owns: the two calls that do it. Never does: decide when. Driven by: `process`.

use std::ffi::c_void;

/// Returns what the allocator keeps of memory that was freed.
pub(in crate::host) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no argument points anywhere, and nothing of what is allocated moves.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets go of the pages of program and libraries that are never written to: code and constants. They
/// come back from the file, mostly from the page cache, as soon as they are used.
pub(in crate::host) fn release_code() {
    // SAFETY: the callback has the type that is asked for, and uses its argument no longer than
    // the call lasts.
    unsafe {
        libc::dl_iterate_phdr(Some(release_object), std::ptr::null_mut());
    }
}

unsafe extern "C" fn release_object(
    info: *mut libc::dl_phdr_info,
    _: usize,
    _: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader hands over a description that is valid during the call, with as many
    // program headers as it says.
    let (base, headers) = unsafe {
        let info = &*info;
        let count = usize::from(info.dlpi_phnum);
        if info.dlpi_phdr.is_null() || info.dlpi_addr == 0 {
            // The kernel's own, or a program without an address to reckon from.
            return 0;
        }
        (
            info.dlpi_addr,
            std::slice::from_raw_parts(info.dlpi_phdr, count),
        )
    };
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        let page = PAGE - 1;
        // Where the sum does not fit, the object is none that the loader has mapped: user-mode
        // Linux has such a one of its own.
        let Some(begin) = base.checked_add(header.p_vaddr) else {
            continue;
        };
        let Some(end) = begin.checked_add(header.p_filesz) else {
            continue;
        };
        let (from, to) = (begin & !page, end & !page);
        let (Ok(address), Ok(length)) = (
            usize::try_from(from),
            usize::try_from(to.saturating_sub(from)),
        ) else {
            continue;
        };
        // SAFETY: the range is part of a segment that is mapped from a file, privately and without
        // the right to write: what is dropped is read again from that file, as it was. A locked
        // range is left alone by the kernel, with an error.
        unsafe {
            libc::madvise(address as *mut c_void, length, libc::MADV_DONTNEED);
        }
    }
    0
}

/// Pages never are smaller; where they are larger, segments begin and end with one as well.
const PAGE: u64 = 4096;

//! Patterns of PCRE2, whose library is written in C.
//!
//! Owns: a compiled pattern. Never does: choose its bounds. Driven by: `search`.

use std::ffi::CStr;
use std::ptr::NonNull;

/// A compiled pattern of PCRE2.
#[derive(Debug)]
pub(in crate::host) struct Regex(NonNull<pcre2_sys::pcre2_code_8>);

// SAFETY: a compiled pattern is not changed by matching (pcre2api(3), "Multithreading"), and nobody
// but its owner has the pointer.
unsafe impl Send for Regex {}

impl Regex {
    /// Compiles a pattern. On failure: where in it, and what is wrong there.
    pub(in crate::host) fn new(pattern: &[u8], options: u32) -> Result<Self, (usize, String)> {
        let (mut error, mut offset) = (0, 0);
        // SAFETY: the pattern is read during the call only, and as long as its length says; both
        // places for results live until its end; no context is given.
        let code = unsafe {
            pcre2_sys::pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                options,
                &raw mut error,
                &raw mut offset,
                std::ptr::null_mut(),
            )
        };
        NonNull::new(code).map(Self).ok_or_else(|| {
            let mut room = [0_u8; 256];
            // SAFETY: the room is as long as is said, and the text in it is ended by a zero.
            unsafe {
                pcre2_sys::pcre2_get_error_message_8(error, room.as_mut_ptr(), room.len());
            }
            let text = CStr::from_bytes_until_nul(&room).unwrap_or_default();
            (offset, text.to_string_lossy().into_owned())
        })
    }

    /// Whether a match of `text` begins within `first..=last`, with at most `steps` of matching at
    /// each place and `kib` of memory.
    ///
    /// # Errors
    /// The library's error number.
    pub(in crate::host) fn is_in(
        &self,
        text: &[u8],
        (first, last): (usize, usize),
        (steps, kib): (u32, u32),
        options: u32,
    ) -> Result<bool, i32> {
        let code = self.0.as_ptr();
        // SAFETY: both are made from nothing and from a valid pattern, are checked, and are freed
        // below; the pattern and the text live until the end of this function.
        unsafe {
            let context = pcre2_sys::pcre2_match_context_create_8(std::ptr::null_mut());
            let data =
                pcre2_sys::pcre2_match_data_create_from_pattern_8(code, std::ptr::null_mut());
            let end = if context.is_null() || data.is_null() {
                pcre2_sys::PCRE2_ERROR_NOMEMORY
            } else {
                pcre2_sys::pcre2_set_match_limit_8(context, steps);
                pcre2_sys::pcre2_set_heap_limit_8(context, kib);
                pcre2_sys::pcre2_set_offset_limit_8(context, last);
                let (start, length) = (text.as_ptr(), text.len());
                pcre2_sys::pcre2_match_8(code, start, length, first, options, data, context)
            };
            pcre2_sys::pcre2_match_data_free_8(data);
            pcre2_sys::pcre2_match_context_free_8(context);
            match end {
                0.. => Ok(true),
                pcre2_sys::PCRE2_ERROR_NOMATCH => Ok(false),
                error => Err(error),
            }
        }
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: it came from `pcre2_compile`, and nobody has it any more.
        unsafe { pcre2_sys::pcre2_code_free_8(self.0.as_ptr()) };
    }
}

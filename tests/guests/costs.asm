; costs: what accesses take, by the time-stamp counter, into FOUND, 4 bytes each.
;
; Between the two counts are two instructions, the counter's own and a MOV, beside what
; is measured. FS is the APIC's page, ES begins at 0 and has no end. The user answers
; port 0x1234 and what is at 0xD0000000, which is GS. Ends in HLT.
        org 0x10000
bits 16
FOUND   equ 0x1000
START   equ 0x0F80

%macro  begin 0
        rdtsc
        mov [START], eax
%endmacro
%macro  done 0
        rdtsc
        sub eax, [START]
        mov [bp], eax
        add bp, 4
%endmacro
%macro  wrmsr_to 2                      ; MSR, value
        mov ecx, %1
        mov eax, %2
        xor edx, edx
        wrmsr
%endmacro

start:  cli
        cld
        mov ax, cs
        mov ds, ax
        mov ss, ax
        mov sp, 0x0F00
        mov bp, FOUND

        begin                           ; 0: nothing
        done
        begin                           ; 1: RDTSCP
        rdtscp
        done
        begin                           ; 2: CPUID
        xor eax, eax
        cpuid
        done
        begin                           ; 3: RDMSR
        mov ecx, 0x1B
        rdmsr
        done
        begin                           ; 4: IN of a device
        in al, 0x61
        done
        begin                           ; 5: OUT of a device
        out 0x61, al
        done
        mov dx, 0x1234
        begin                           ; 6: IN that the user answers
        in ax, dx
        done
        begin                           ; 7: OUT that the user takes
        out dx, eax
        done
        begin                           ; 8: the APIC read
        mov eax, [fs:0x30]
        done
        begin                           ; 9: and written
        mov dword [fs:0x80], 0
        done
        begin                           ; 10: read and written by one instruction
        add dword [fs:0x80], 0
        done
        begin                           ; 11: read by one that the processor does
        push dword [fs:0x30]
        done
        begin                           ; 12: a read that the user answers
        mov eax, [gs:0]
        done
        begin                           ; 13: a read and a write that the user does
        inc byte [gs:5]
        done
        begin                           ; 14: memory
        mov eax, [FOUND]
        done
        mov dx, 0x61
        mov di, 0x2000
        begin                           ; 15: five elements
        mov cx, 5
        rep insb
        done
        mov si, 0
        mov dx, 0x1234
        begin                           ; 16: three that the user takes
        mov cx, 3
        rep outsb
        done
        mov edi, 0xFEE00080
        begin                           ; 17: four stores to the APIC
        mov ecx, 4
        xor eax, eax
        a32 rep stosd
        done
        mov cx, 0
        begin                           ; 18: none at all
        rep insb
        done
        wrmsr_to 0x1B, 0xFEE00D00       ; x2APIC
        begin                           ; 19: its MSR read
        mov ecx, 0x802
        rdmsr
        done
        begin                           ; 20: and written
        mov ecx, 0x80B
        xor eax, eax
        xor edx, edx
        wrmsr
        done
        hlt
